"""VGG-19 up to its second fully connected layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace

from torch import Tensor, nn

from harness.backbones.caffe import scaled
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_vgg3d.cards import VGG19
from harness_vgg3d.weights_layouts import from_vgg19

_STAGES = ((64, 2), (128, 2), (256, 4), (512, 4), (512, 4))
"""Channels and number of the convolutions between two pools."""
_FC = 4096


class Vgg19:
    """Convolutions of VGG-19 and its first two connected layers on single frames.

    `conv1_1` to `conv5_4` are submodules of `feature_map`, each before its ReLU (`relu1_1` to `relu5_4`). The feature
    map ends behind `relu5_4`, before the last pool: 512 x 14 x 14 at 224 pixels; `pool5` gives 512 x 7 x 7. `fc6` and
    `fc7` end in a ReLU. There is no dropout: methods have their own. Pixels are blue, green and red from 0 to 255,
    less their means; the short side of a frame is 8/7 of `size`, 256 at 224.

    ImageNet weights start it as `start: {weights: FILE, learnt_from: imagenet, labels: true}`: Johnson's port of
    Caffe's weights, `vgg19-d01eb7cb.pth`, which wants these very pixels, or weights of this network. Those of `fc6`
    are for 224 to 255 pixels; at other sizes `strict: false` takes what fits.

    The backbone `timm:vgg19.tv_in1k` is for torchvision's weights, `vgg19-dcbb9e9d.pth`: they learnt from red, green
    and blue, standardised. Their tensors have the same shapes, and under Caffe's pixels would give useless vectors
    without an error. Johnson's file is told by `classifier.1` and `classifier.4` in the place of torchvision's
    `classifier.0` and `classifier.3`, and by its SHA-256, which begins with d01eb7cb. Caffe's weights under
    torchvision's names are accepted too, so that names alone are no proof: state `sha256` in `start`.

    Args:
        width: multiplies the channels of all convolutions and the units of `fc6` and `fc7`; even numbers, at least 2.
        size: pixels of the input.

    Raises:
        ValueError: when `width` is not positive, or images of `size` pixels are too small to reach `fc6`.

    Source: Simonyan and Zisserman 2015, configuration E; the pixels are those of its release for Caffe. First weights
    are drawn as He et al. 2015 do, biases are 0.
    """

    card: BackboneCard = VGG19

    def __init__(self, *, width: float = 1.0, size: int = 224) -> None:
        if width <= 0:
            msg = f"width must be positive, got {width}"
            raise ValueError(msg)
        self._side = size // 2 ** len(_STAGES)
        if self._side < 1:
            msg = f"images of {size} pixels are too small for vgg19: nothing of them reaches fc6; expected 32 or more"
            raise ValueError(msg)
        self._width = width
        self.card = replace(VGG19, dim=scaled(_FC, width))
        self.inputs = Inputs(
            view=View(frames=1, size=size, resize=round(size * 8 / 7)),
            mean=(103.939, 116.779, 123.68),
            std=(1.0, 1.0, 1.0),
            scale=1.0,
            order="bgr",
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, dim)."""
        channels, dim = scaled(_STAGES[-1][0], self._width), self.card.dim
        with seeded(seed):
            fc6 = (
                ("flatten", nn.Flatten()),
                ("linear", nn.Linear(channels * self._side**2, dim)),
                ("relu6", nn.ReLU(inplace=True)),
            )
            fc7 = (("linear", nn.Linear(dim, dim)), ("relu7", nn.ReLU(inplace=True)))
            network = PerFrame(
                nn.Sequential(OrderedDict(self._feature_map())),
                {
                    "pool5": nn.MaxPool2d(2),
                    "fc6": nn.Sequential(OrderedDict(fc6)),
                    "fc7": nn.Sequential(OrderedDict(fc7)),
                },
            )
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    assert module.bias is not None
                    nn.init.zeros_(module.bias)
        return network

    def converted(self, file: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a released file to those of the network."""
        return from_vgg19(file)

    def _feature_map(self) -> Iterator[tuple[str, nn.Module]]:
        channels = 3
        for stage, (outputs, count) in enumerate(_STAGES, 1):
            if stage > 1:
                yield f"pool{stage - 1}", nn.MaxPool2d(2)
            for number in range(1, count + 1):
                yield f"conv{stage}_{number}", nn.Conv2d(channels, scaled(outputs, self._width), 3, padding=1)
                yield f"relu{stage}_{number}", nn.ReLU(inplace=True)
                channels = scaled(outputs, self._width)
