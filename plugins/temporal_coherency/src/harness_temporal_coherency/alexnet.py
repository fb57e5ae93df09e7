"""AlexNet, as the paper states it and as the authors released it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from torch import nn

from harness.backbones.caffe import Convolution, max_pool, pooled_side, scaled
from harness.backbones.local_response import AcrossChannels
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_temporal_coherency import ALEXNET

_STATED = (
    Convolution(channels=96, kernel=11, stride=4, pooled=True),
    Convolution(channels=256, kernel=5, padding=2, groups=2, pooled=True),
    Convolution(channels=384, kernel=3, padding=1),
    Convolution(channels=384, kernel=3, padding=1, groups=2),
    Convolution(channels=256, kernel=3, padding=1, groups=2),
)
_RELEASED = (
    Convolution(channels=96, kernel=7, stride=2, pooled=True),
    Convolution(channels=384, kernel=5, stride=2, groups=2, pooled=True),
    Convolution(channels=512, kernel=3, padding=1),
    Convolution(channels=512, kernel=3, padding=1, groups=2),
    Convolution(channels=384, kernel=3, padding=1, groups=2),
)
_FC6 = 4096
_PIXELS = (1 / 255, 1 / 255, 1 / 255)
"""Standard deviation that leaves pixels between 0 and 255, minus their mean."""


class AlexNet:
    """AlexNet's convolutions and two fully connected layers on single frames.

    Every layer ends in a ReLU. As stated (section 3.3): the convolutions of Krizhevsky et al. 2012, drawn as He et al.
    2015 do, because the paper only says "random", on pixels scaled to about 1; at 0 to 255, where its normalisation
    would act, vectors are so long that classifiers on top start far off. As `released`: wider convolutions, pooled
    before they are normalised, and Gaussian weights of deviation 0.01 and biases of 0.1, on pixels that keep their
    scale. Neither has dropout. Caffe squeezes a frame to a square; here its short side is resized and the centre is cut
    out.

    Args:
        released: the network of the authors' code in place of the stated one.
        fc7: units of the last layer; 1024 for the quadruplet loss, 4096 for the pairwise ones.
        width: multiplies the channels of all convolutions and the units of both layers; even numbers, at least 2.
        size: pixels of the input.

    Raises:
        ValueError: when `width` or `fc7` is not positive, or images of `size` pixels are too small to reach `fc6`.
    """

    card: BackboneCard = ALEXNET

    def __init__(self, *, released: bool = False, fc7: int = 1024, width: float = 1.0, size: int = 227) -> None:
        if width <= 0 or fc7 < 1:
            msg = f"width and fc7 must be positive, got {width} and {fc7}"
            raise ValueError(msg)
        self.released = released
        table = _RELEASED if released else _STATED
        self._convolutions = tuple(one.scaled(width) for one in table)
        side = size
        for one in self._convolutions:
            side = one.side(side)
        self._side = pooled_side(side)
        if self._side < 1:
            msg = f"images of {size} pixels are too small for alexnet: nothing of them reaches its last layers"
            raise ValueError(msg)
        self._fc6, self._fc7 = scaled(_FC6, width), scaled(fc7, width)
        self.card = replace(ALEXNET, dim=self._fc7)
        self.inputs = Inputs(
            view=View(frames=1, size=size),
            mean=(123.68 / 255, 116.779 / 255, 103.939 / 255),
            std=_PIXELS if released else (0.25, 0.25, 0.25),
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, fc7)."""
        fc6, fc7 = self._fc6, self._fc7
        inputs = self._convolutions[-1].channels * self._side**2
        with seeded(seed):
            network = PerFrame(
                nn.Sequential(*self._feature_map()),
                {
                    "fc6": nn.Sequential(max_pool(), nn.Flatten(), nn.Linear(inputs, fc6), nn.ReLU(inplace=True)),
                    "fc7": nn.Sequential(nn.Linear(fc6, fc7), nn.ReLU(inplace=True)),
                },
            )
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    _draw(module, released=self.released)
        return network

    def _feature_map(self) -> Iterator[nn.Module]:
        channels = 3
        for one in self._convolutions:
            yield one.layer(channels)
            yield nn.ReLU(inplace=True)
            if one.pooled:
                normalisation = AcrossChannels(5, alpha=1e-4, beta=0.75)
                yield from (max_pool(), normalisation) if self.released else (normalisation, max_pool())
            channels = one.channels


def _draw(layer: nn.Conv2d | nn.Linear, *, released: bool) -> None:
    assert layer.bias is not None
    if released:
        nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(layer.bias, 0.1)
    else:
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
