"""A backbone with an inner layer."""

from __future__ import annotations

from torch import nn

from harness.system.seeding import seeded
from harness_toy import TWO_LAYERS


class Layers(nn.Sequential):
    def until(self, name):
        return self[:1] if name == "colours" else self


class Colours(nn.Module):
    def forward(self, clips):
        return clips.mean((2, 3, 4))


class TwoLayers:
    card = TWO_LAYERS

    def build(self, *, seed):
        with seeded(seed):
            return Layers(Colours(), nn.Linear(3, 2))
