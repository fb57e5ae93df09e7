"""Caffe's local response normalisation within channels."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d


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
        return maps * torch.pow(1 + self.alpha * means, -self.beta)
