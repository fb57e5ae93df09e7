"""torchvision's 3D ResNet-18."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import nn

from harness.backbones import _torchvision
from harness.backbones.cards import R3D_18
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs, Recipe


class R3D18:
    """R3D-18 (Tran et al. 2018) without its classifier."""

    card: ClassVar[BackboneCard] = R3D_18
    inputs: ClassVar[Inputs] = Inputs(
        view=View(frames=16, stride=2, size=112, resize=128),
        mean=(0.43216, 0.394666, 0.37645),
        std=(0.22803, 0.22145, 0.216989),
    )

    recipe: ClassVar[Recipe] = Recipe("torchvision", "torchvision.models.video.r3d_18()", classifier="fc")

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, 512)."""
        with seeded(seed):
            network: nn.Module = _torchvision.models().video.r3d_18(weights=None)
        network.fc = nn.Identity()
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]
