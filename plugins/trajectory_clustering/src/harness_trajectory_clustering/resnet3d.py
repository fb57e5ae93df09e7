"""3D ResNets of Hara et al. 2018, with basic blocks."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_trajectory_clustering.cards import RESNET3D_18, RESNET3D_34

_COLOURS = {
    "centred": ((114.7748 / 255, 107.7354 / 255, 99.4750 / 255), (1.0, 1.0, 1.0)),
    "standardised": ((0.4345, 0.4051, 0.3775), (0.2768, 0.2713, 0.2737)),
}
"""Mean and standard deviation of pixels: the paper's code, and Hara's of 2020."""
_CHANNELS = (64, 128, 256, 512)


class ResNet3D18:
    """3D ResNet-18 without its classifier.

    The first convolution keeps every frame and halves height and width, a max pool halves all three, and the first
    block of the last three of four layers halves them again, its shortcut a strided convolution (type B).

    Args:
        frames: of a clip.
        size: pixels of a side.
        stride: frames from one frame of a clip to the next.
        width: multiplies the channels of all layers, for small machines.
        pixels: `centred` between 0 and 1 and less their mean, as in the paper's code; `standardised` and divided by
            their standard deviation, as Hara's weights of 2020 expect them.

    Raises:
        ValueError: when `width` is not positive, `pixels` is unknown, or another number below 1.

    Source: Hara, Kataoka and Satoh, "Can spatiotemporal 3D CNNs retrace the history of 2D CNNs and ImageNet?",
    CVPR 2018; as in Tokmakov, Hebert and Schmid 2020, whose weights of convolutions are He et al.'s for the inputs of
    each.
    """

    card: BackboneCard = RESNET3D_18
    blocks: ClassVar[tuple[int, int, int, int]] = (2, 2, 2, 2)

    def __init__(
        self,
        *,
        frames: int = 16,
        size: int = 112,
        stride: int = 1,
        width: float = 1.0,
        pixels: Literal["centred", "standardised"] = "centred",
    ) -> None:
        if width <= 0:
            msg = f"{self.card.name}: width must be positive, got {width}"
            raise ValueError(msg)
        if pixels not in _COLOURS:
            msg = f"{self.card.name}: pixels must be one of {', '.join(_COLOURS)}, got {pixels!r}"
            raise ValueError(msg)
        self._channels = tuple(max(1, round(channels * width)) for channels in _CHANNELS)
        self.card = replace(self.card, dim=self._channels[-1])
        mean, std = _COLOURS[pixels]
        self.inputs = Inputs(view=View(frames=frames, stride=stride, size=size), mean=mean, std=std)

    def build(self, *, seed: int) -> nn.Module:
        """Build a new network, normalised float clips (B, 3, T, H, W) -> (B, dim)."""
        with seeded(seed):
            network = nn.Sequential(self._layers())
            for module in network.modules():
                if isinstance(module, nn.Conv3d):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload, no-any-return]

    def _layers(self) -> OrderedDict[str, nn.Module]:
        channels = self._channels[0]
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv1=nn.Conv3d(3, channels, 7, (1, 2, 2), padding=3, bias=False),
            bn1=nn.BatchNorm3d(channels),
            relu=nn.ReLU(inplace=True),
            maxpool=nn.MaxPool3d(3, 2, padding=1),
        )
        for number, (out, count) in enumerate(zip(self._channels, self.blocks, strict=True), start=1):
            first = _BasicBlock(channels, out, stride=1 if number == 1 else 2)
            layers[f"layer{number}"] = nn.Sequential(first, *(_BasicBlock(out, out) for _ in range(count - 1)))
            channels = out
        layers["avgpool"] = nn.AdaptiveAvgPool3d(1)
        layers["flatten"] = nn.Flatten()
        return layers


class ResNet3D34(ResNet3D18):
    """3D ResNet-34 without its classifier, otherwise as the one of 18 layers."""

    card: BackboneCard = RESNET3D_34
    blocks = (3, 4, 6, 3)


class _BasicBlock(nn.Module):
    """Two convolutions beside a shortcut; names are those of Hara's weights."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(channels, out, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm3d(out)
        self.conv2 = nn.Conv3d(out, out, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm3d(out)
        self.downsample: nn.Module = nn.Identity()
        if stride > 1 or channels != out:
            self.downsample = nn.Sequential(nn.Conv3d(channels, out, 1, stride, bias=False), nn.BatchNorm3d(out))

    def forward(self, maps: Tensor) -> Tensor:
        """(B, C, T, H, W) -> (B, out, t, h, w)."""
        values = F.relu(self.bn1(self.conv1(maps)), inplace=True)
        return F.relu(self.bn2(self.conv2(values)) + self.downsample(maps), inplace=True)
