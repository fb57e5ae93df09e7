"""3D convolution and fully connected layers on frame maps concatenated in time."""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Literal

import torch
from torch import Tensor, nn

from harness.errors import UsageError

POOL = (3, 2, 2)
"""Frames, rows and columns that the maximum behind the convolution is of."""


class Head(nn.Module):
    """One 3D convolution and two fully connected layers, below a classifier.

    The convolution keeps the size of its input, and a ReLU and a maximum over 3 frames and 2 x 2 places follow. Both
    fully connected layers end in a ReLU, and in training in dropout. Weights are drawn as He et al. 2015 do.

    Args:
        shape: of the input: channels, frames, height and width.
        channels: filters of the convolution.
        units: of each fully connected layer.
        kernel: frames that the convolution is over.
        dropout: share of units of the fully connected layers that is dropped.

    Raises:
        UsageError: when the input is smaller than what the maximum is over.

    Source: Husain, Dellen and Torras 2016, section IV-A: one 3D convolution, three fully connected layers and a dropout
    of 0.5; 1,024 units follow from the length of the joined vectors. Other sizes are ours.

    >>> head = Head((512, 30, 14, 14), channels=128, units=1024, kernel=3, dropout=0.5).to("meta")
    >>> tuple(head(torch.zeros(2, 512, 30, 14, 14, device="meta")).shape)
    (2, 1024)
    """

    def __init__(
        self, shape: tuple[int, int, int, int], *, channels: int, units: int, kernel: Literal[1, 3], dropout: float
    ) -> None:
        super().__init__()
        inputs, *sides = shape
        if any(side < pool for side, pool in zip(sides, POOL, strict=True)):
            msg = f"expected maps of at least {POOL} frames, rows and columns, got {tuple(sides)}"
            raise UsageError(msg)
        places = math.prod(side // pool for side, pool in zip(sides, POOL, strict=True))
        convolution = nn.Conv3d(inputs, channels, (kernel, 3, 3), padding=(kernel // 2, 1, 1))
        fc1, fc2 = nn.Linear(channels * places, units), nn.Linear(units, units)
        for layer in (convolution, fc1, fc2):
            assert layer.bias is not None
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
        layers = {
            "convolution": convolution,
            "relu": nn.ReLU(inplace=True),
            "pool": nn.MaxPool3d(POOL),
            "flatten": nn.Flatten(),
            "fc1": fc1,
            "relu1": nn.ReLU(inplace=True),
            "dropout1": nn.Dropout(dropout),
            "fc2": fc2,
            "relu2": nn.ReLU(inplace=True),
            "dropout2": nn.Dropout(dropout),
        }
        network = nn.Sequential(OrderedDict(layers))
        self.layers: nn.Module = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def forward(self, maps: Tensor) -> Tensor:
        """(B, channels, T, h, w) -> (B, units)."""
        vectors: Tensor = self.layers(maps)
        return vectors

    def examples(self, maps: Tensor) -> Tensor:
        """(B, channels, T, h, w) -> (B, 1, units): a clip is one example."""
        vectors: Tensor = self.layers(maps)
        return vectors[:, None]
