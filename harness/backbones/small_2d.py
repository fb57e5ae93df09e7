"""A small 2D network for the embedded data."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from harness.backbones.cards import SMALL_2D
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs


class Small2D:
    """Four 2D convolutions on each frame, maximum over space, mean over time.

    The maximum keeps what a person who fills a tenth of the frame does; an average would drown it in the place. The
    network is as wide as two CPU cores can train in half a minute.
    """

    card: ClassVar[BackboneCard] = SMALL_2D
    inputs: ClassVar[Inputs] = Inputs(view=View(frames=8, stride=4, size=64))

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, 128)."""
        with seeded(seed):
            feature_map = nn.Sequential(
                *_stage(3, 24, kernel=5, stride=2),
                *_stage(24, 48, kernel=3, stride=2),
                *_stage(48, 96, kernel=3, stride=2),
                *_stage(96, self.card.dim, kernel=3, stride=1),
            )
        return PerFrame(feature_map, {"pool": nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())})


def _stage(channels: int, out: int, *, kernel: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, out, kernel, stride, padding=kernel // 2, bias=False)
    return convolution, nn.BatchNorm2d(out), nn.ReLU(inplace=True)
