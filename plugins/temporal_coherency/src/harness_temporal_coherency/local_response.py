"""Caffe's local response normalisations."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d


class AcrossChannels(nn.Module):
    """Caffe's local response normalisation across channels.

    x / (1 + alpha * m)^beta with the mean m of the squares in the `size` channels around x. Channels beyond the first
    and the last count as 0. The same as `torch.nn.LocalResponseNorm`, which takes five times as long on maps in the
    memory format of this package's networks, and then most of a training step on CPUs.

    Args:
        size: odd.
        alpha: weight of the squares.
        beta: exponent.

    Source: Krizhevsky et al. 2012, section 3.3, with k = 1 and Caffe's mean in place of the sum.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75) -> None:
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        channels, reach = maps.shape[1], self.size // 2
        band = maps.new_ones(channels, channels).tril(reach).triu(-reach) / self.size
        return _normalise(maps, conv2d(maps.square(), band[:, :, None, None]), self.alpha, self.beta)


class WithinChannels(nn.Module):
    """Caffe's local response normalisation within channels.

    x / (1 + alpha * m)^beta with the mean m of the squares in the `size` x `size` pixels around x. Pixels outside of
    the map count as 0.

    Args:
        size: odd.
        alpha: weight of the squares.
        beta: exponent.
    """

    def __init__(self, size: int = 3, alpha: float = 5e-5, beta: float = 0.75) -> None:
        super().__init__()
        self.size, self.alpha, self.beta = size, alpha, beta

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        means = avg_pool2d(maps.square(), self.size, stride=1, padding=self.size // 2)
        return _normalise(maps, means, self.alpha, self.beta)


def _normalise(maps: Tensor, means: Tensor, alpha: float, beta: float) -> Tensor:
    return maps * torch.pow(1 + alpha * means, -beta)
