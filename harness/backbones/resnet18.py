"""torchvision's ResNet-18."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from harness.backbones import _torchvision
from harness.backbones.cards import RESNET18
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard
from harness.system.seeding import seeded


class ResNet18:
    """ResNet-18 (He et al. 2016) without its classifier, averaged over frames."""

    card: ClassVar[BackboneCard] = RESNET18

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, 512)."""
        with seeded(seed):
            image = _torchvision.models().resnet18(weights=None)
        *feature_map, pool, _ = image.children()
        return PerFrame(nn.Sequential(*feature_map), nn.Sequential(pool, nn.Flatten()))
