"""Local response normalisation across channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d


class AcrossChannels(nn.Module):
    """Caffe's local response normalisation across channels.

    x / (k + alpha * m)^beta with the mean m of the squares in the `size` channels around x. Channels beyond the first
    and the last count as 0. The same as `torch.nn.LocalResponseNorm`, which takes five times as long on maps in the
    memory format of this package's networks, and then most of a training step on CPUs.

    Args:
        size: odd.
        alpha: weight of the squares.
        beta: exponent.
        k: what the squares are added to.

    Source: Krizhevsky et al. 2012, section 3.3, with Caffe's mean in place of the sum.
    """

    def __init__(self, size: int = 5, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W) -> the same shape."""
        channels, reach = maps.shape[1], self.size // 2
        band = maps.new_ones(channels, channels).tril(reach).triu(-reach) / self.size
        means = conv2d(maps.square(), band[:, :, None, None])
        return maps * torch.pow(self.k + self.alpha * means, -self.beta)
