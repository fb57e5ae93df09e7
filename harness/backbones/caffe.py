"""Convolutions, pooling and widths of networks that were made with Caffe."""

from __future__ import annotations

from typing import NamedTuple

from torch import nn


class Convolution(NamedTuple):
    """Convolution of square kernels; if `pooled`, followed by max-pooling."""

    channels: int
    kernel: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    pooled: bool = False

    def side(self, size: int) -> int:
        """Side of the output map for an input of `size` pixels.

        >>> Convolution(channels=96, kernel=7, stride=2, pooled=True).side(224)
        54
        """
        side = (size + 2 * self.padding - self.kernel) // self.stride + 1
        return pooled_side(side) if self.pooled else side

    def scaled(self, width: float) -> Convolution:
        """Multiply the channels by `width`."""
        return self._replace(channels=scaled(self.channels, width))

    def layer(self, channels: int) -> nn.Conv2d:
        """Build the convolution of maps of `channels` channels, random weights."""
        return nn.Conv2d(channels, self.channels, self.kernel, self.stride, self.padding, groups=self.groups)


def scaled(count: int, width: float) -> int:
    """Scale a number of channels or units to an even one, for two groups.

    >>> scaled(96, 0.25), scaled(96, 0.01)
    (24, 2)
    """
    return max(2, 2 * round(count * width / 2))


def max_pool() -> nn.Module:
    """Build max-pooling of 3 x 3 every 2 pixels that sees the last ones."""
    return nn.MaxPool2d(3, 2, ceil_mode=True)


def pooled_side(side: int) -> int:
    """Side of a map of `side` pixels after `max_pool`.

    >>> [pooled_side(side) for side in (3, 4, 55)]
    [1, 2, 27]
    """
    return -(-(side - 3) // 2) + 1
