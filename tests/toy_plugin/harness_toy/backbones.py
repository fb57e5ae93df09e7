"""A backbone with an inner layer, and one whose training mode gives other vectors."""

from __future__ import annotations

from collections import OrderedDict

from torch import nn

from harness import Inputs, View
from harness.system.seeding import seeded
from harness.testing.fixtures import TinyBackbone
from harness_toy import DROPOUT, TINY, TWO_LAYERS


class Colours(nn.Module):
    def forward(self, clips):
        return clips.mean((2, 3, 4))


class TwoLayers:
    card = TWO_LAYERS
    inputs = Inputs(view=View(frames=4, size=16))

    def build(self, *, seed):
        with seeded(seed):
            return nn.Sequential(OrderedDict(colours=Colours(), linear=nn.Linear(3, 2)))


class Dropout:
    card = DROPOUT
    inputs = Inputs(view=View(frames=4, size=32))

    def build(self, *, seed):
        with seeded(seed):
            return nn.Sequential(
                nn.Conv3d(3, 64, (1, 8, 8), (1, 8, 8)),
                nn.BatchNorm3d(64),
                nn.ReLU(),
                nn.Dropout(0.7),
                nn.AdaptiveAvgPool3d(1),
                nn.Flatten(),
            )


class Tiny(TinyBackbone):
    card = TINY
