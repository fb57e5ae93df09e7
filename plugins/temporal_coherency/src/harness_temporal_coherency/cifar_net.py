"""Caffe's two networks for CIFAR-10."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from harness.cards import BackboneCard
from harness.system.seeding import seeded
from harness_temporal_coherency import CIFAR_FULL, CIFAR_QUICK
from harness_temporal_coherency.layers import LayeredNetwork, WithinChannels


class CifarQuick:
    """Caffe's `cifar10_quick` without its classifier, on single frames of 32 pixels.

    No ReLU follows `ip1`. Weights are drawn as Caffe's file says, Gaussian with deviations for pixels between 0 and
    255. A mean colour is subtracted in place of Caffe's mean image.
    """

    card: BackboneCard = CIFAR_QUICK

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 64)."""
        with seeded(seed):
            pool3, ip1 = self.card.layers.values()
            return LayeredNetwork(
                _feature_map(nn.Identity), {"pool3": _flat_pool(), "ip1": _gaussian(nn.Linear(pool3, ip1), 0.1)}
            )


class CifarFull:
    """Caffe's `cifar10_full` without its classifier, on single frames of 32 pixels.

    It normalises within channels. Weights and mean are as in `CifarQuick`.
    """

    card: BackboneCard = CIFAR_FULL

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 1024)."""
        with seeded(seed):
            return LayeredNetwork(_feature_map(WithinChannels), {"pool3": _flat_pool()})


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
