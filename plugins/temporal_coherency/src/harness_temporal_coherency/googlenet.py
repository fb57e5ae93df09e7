"""torchvision's GoogLeNet with a fully connected layer."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from harness.backbones import _torchvision
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_temporal_coherency import GOOGLENET

_STRIDE = 32


class GoogLeNet:
    """GoogLeNet on single frames, with a layer of 1024 units and a ReLU on top.

    Source: Szegedy et al. 2015. The paper says no more than "a fc layer of size 1024". torchvision's network has batch
    normalisation and, where the original has 5 x 5 convolutions, 3 x 3 ones. Its auxiliary classifiers and its dropout
    are left out. Weights are drawn as He et al. 2015 do: with torchvision's own, of deviation 0.01, signals vanish
    where normalisation has no statistics yet, and an untrained network gives all images one vector.

    Args:
        size: pixels of the input; few make it fast enough for a CPU.

    Raises:
        ValueError: when images of `size` pixels are smaller than the network's stride, 32.
    """

    card: ClassVar[BackboneCard] = GOOGLENET

    def __init__(self, size: int = 224) -> None:
        if size < _STRIDE:
            msg = f"images of {size} pixels are too small for googlenet: expected at least {_STRIDE}"
            raise ValueError(msg)
        self.inputs = Inputs(view=View(frames=1, size=size), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, 1024)."""
        with seeded(seed):
            image = _torchvision.models().googlenet(
                weights=None, num_classes=self.card.dim, aux_logits=False, init_weights=False
            )
            for module in image.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(image.fc.bias)
        *feature_map, pool, _dropout, fc = (part for part in image.children() if part is not None)
        return PerFrame(
            nn.Sequential(*feature_map),
            {"pool5": nn.Sequential(pool, nn.Flatten()), "fc": nn.Sequential(fc, nn.ReLU(inplace=True))},
        )
