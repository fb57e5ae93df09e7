"""A small 3D network for the embedded data."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from harness.backbones.cards import SMALL_3D
from harness.cards import BackboneCard, View
from harness.errors import UsageError
from harness.system.seeding import seeded
from harness.values import Inputs


class Small3D:
    """Four 3D convolutions, maximum over space, mean over time.

    The maximum keeps what a person who fills a tenth of the frame does; an average would drown it in the place. The
    network is as wide as two CPU cores can train in half a minute.

    Args:
        frames: frames of a clip, every second one of the video.

    Raises:
        UsageError: when there is none.
    """

    card: ClassVar[BackboneCard] = SMALL_3D

    def __init__(self, frames: int = 16) -> None:
        if frames < 1:
            msg = f"backbone {self.card.name!r}: frames must be at least 1, got {frames}"
            raise UsageError(msg)
        self.inputs = Inputs(view=View(frames=frames, stride=2, size=64))

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, 128)."""
        with seeded(seed):
            network = nn.Sequential(
                *_stage(3, 24, kernel=(3, 5, 5), stride=(2, 2, 2)),
                *_stage(24, 48, kernel=(3, 3, 3), stride=(2, 2, 2)),
                *_stage(48, 96, kernel=(3, 3, 3), stride=(2, 2, 2)),
                *_stage(96, self.card.dim, kernel=(3, 3, 3), stride=(1, 1, 1)),
                nn.AdaptiveMaxPool3d((None, 1, 1)),
                nn.AdaptiveAvgPool3d(1),
                nn.Flatten(),
            )
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]


def _stage(
    channels: int, out: int, *, kernel: tuple[int, int, int], stride: tuple[int, int, int]
) -> tuple[nn.Module, ...]:
    padding = (kernel[0] // 2, kernel[1] // 2, kernel[2] // 2)
    convolution = nn.Conv3d(channels, out, kernel, stride, padding=padding, bias=False)
    return convolution, nn.BatchNorm3d(out), nn.ReLU(inplace=True)
