"""Caffe's two networks for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from torch import nn

from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_temporal_coherency import CIFAR_FULL, CIFAR_QUICK
from harness_temporal_coherency.local_response import WithinChannels

_POOLED = 64 * 4 * 4
"""Length of `pool3`."""

_INPUTS = Inputs(view=View(frames=1, size=32), mean=(0.4914, 0.4822, 0.4465), std=(1 / 255, 1 / 255, 1 / 255))


class CifarQuick:
    """Caffe's `cifar10_quick` without its classifier, on single frames of 32 pixels.

    No ReLU follows `ip1`. Weights are drawn as Caffe's file says, Gaussian with deviations for pixels between 0 and
    255. A mean colour is subtracted in place of Caffe's mean image.
    """

    card: ClassVar[BackboneCard] = CIFAR_QUICK
    inputs: ClassVar[Inputs] = _INPUTS

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 64)."""
        with seeded(seed):
            return PerFrame(
                _feature_map(nn.Identity),
                {"pool3": _flat_pool(), "ip1": _gaussian(nn.Linear(_POOLED, self.card.dim), 0.1)},
            )


class CifarFull:
    """Caffe's `cifar10_full` without its classifier, on single frames of 32 pixels.

    It normalises within channels. Weights and mean are as in `CifarQuick`.
    """

    card: ClassVar[BackboneCard] = CIFAR_FULL
    inputs: ClassVar[Inputs] = _INPUTS

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 1024)."""
        with seeded(seed):
            return PerFrame(_feature_map(WithinChannels), {"pool3": _flat_pool()})


def _feature_map(normalisation: Callable[[], nn.Module]) -> nn.Module:
    return nn.Sequential(
        _gaussian(nn.Conv2d(3, 32, 5, padding=2), 1e-4),
        nn.MaxPool2d(3, 2, ceil_mode=True),
        nn.ReLU(inplace=True),
        normalisation(),
        _gaussian(nn.Conv2d(32, 32, 5, padding=2), 0.01),
        nn.ReLU(inplace=True),
        nn.AvgPool2d(3, 2, ceil_mode=True),
        normalisation(),
        _gaussian(nn.Conv2d(32, 64, 5, padding=2), 0.01),
        nn.ReLU(inplace=True),
    )


def _flat_pool() -> nn.Module:
    return nn.Sequential(nn.AvgPool2d(3, 2, ceil_mode=True), nn.Flatten())


def _gaussian(layer: nn.Conv2d | nn.Linear, std: float) -> nn.Module:
    assert layer.bias is not None
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer
