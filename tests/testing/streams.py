"""Backbones that see optical flow."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from harness.system.seeding import seeded
from harness.testing import TinyBackbone


class OfFlow(TinyBackbone):
    """The small network with two channels."""

    card = TinyBackbone.card
    inputs = replace(TinyBackbone.inputs, kind="flow", mean=(0.0, 0.0), std=(1.0, 1.0), scale=1.0)

    def build(self, *, seed):
        with seeded(seed):
            return nn.Sequential(nn.Conv3d(2, 8, 3, stride=2, padding=1), *list(super().build(seed=seed))[1:])


class TwoStreams(TinyBackbone):
    """The sum of what one network makes of frames and another of their flow."""

    card = replace(TinyBackbone.card, spatial="")
    inputs = {"flow": OfFlow.inputs, "frames": TinyBackbone.inputs}  # noqa: RUF012 - read only

    def build(self, *, seed):
        class Sum(nn.Module):
            def __init__(self):
                super().__init__()
                self.frames, self.flow = TinyBackbone().build(seed=seed), OfFlow().build(seed=seed)

            def forward(self, streams):
                return self.frames(streams["frames"]) + self.flow(streams["flow"])

        return Sum()
