"""torchvision's ResNet-18."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from harness.backbones import _torchvision
from harness.backbones.cards import RESNET18
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs


class ResNet18:
    """ResNet-18 (He et al. 2016) without its classifier, averaged over frames."""

    card: ClassVar[BackboneCard] = RESNET18
    inputs: ClassVar[Inputs] = Inputs(
        view=View(frames=8, stride=4, size=112, resize=128), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, 512)."""
        with seeded(seed):
            image = _torchvision.models().resnet18(weights=None)
        *feature_map, pool, _ = image.children()
        return PerFrame(nn.Sequential(*feature_map), {"pool": nn.Sequential(pool, nn.Flatten())})
