"""VGG-M up to its first fully connected layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

from torch import Tensor, nn

from harness.backbones.caffe import Convolution, max_pool, pooled_side, scaled
from harness.backbones.local_response import AcrossChannels
from harness.backbones.per_frame import PerFrame
from harness.cards import BackboneCard, View
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_pose_from_action.cards import VGG_M
from harness_pose_from_action.weights_layouts import from_cadene

_CONVOLUTIONS = (
    Convolution(channels=96, kernel=7, stride=2, pooled=True),
    Convolution(channels=256, kernel=5, stride=2, padding=1, pooled=True),
    *[Convolution(channels=512, kernel=3, padding=1)] * 3,
)
_FC6 = 4096


class VggM:
    """VGG-M's five convolutions and first fully connected layer on single frames.

    `conv1` to `conv5` are submodules of `feature_map`, each before its ReLU (`relu1` to `relu5`); `fc6` ends in a ReLU
    and has no dropout. Pixels are blue, green and red from 0 to 255, less their means, where local response
    normalisation acts; pixels scaled to about 1 it would only multiply by 0.59. The feature map is 13 x 13 at 224
    pixels, 15 x 15 at 256 and 7 x 7 at 128.

    ImageNet weights start it as `start: {weights: FILE, learnt_from: imagenet, labels: true}`. Accepted are Cadene's
    `vggm-786f2434.pth` and weights of this network; `weights_layouts.read_matconvnet` makes these of MatConvNet's
    `imagenet-vgg-m.mat`. Caffe's own file is not accepted. Those of `fc6` are for 201 to 232 pixels; at other sizes,
    and with batch normalisation, `strict: false` takes what fits.

    Frames are shown with a short side of `size` pixels, and their middle is cut out. Training crops from frames that
    are an eighth larger, so that people are an eighth smaller in what evaluators show, but for the views `25x10`.

    Args:
        width: multiplies the channels of all convolutions and the units of `fc6`; even numbers, at least 2.
        size: pixels of the input.
        norm: `response` normalises the first two maps across channels, as stated; `batch` puts batch normalisation
            behind every convolution in its place.
        init: `he` draws weights as He et al. 2015 do; `gaussian` with deviation 0.01, from which small networks do not
            start. Biases are 0.

    Raises:
        ValueError: when `width` is not positive, or images of `size` pixels are too small to reach `fc6`.

    Source: Chatfield, Simonyan, Vedaldi and Zisserman 2014, CNN-M; Krizhevsky et al. 2012 for the Gaussian weights.
    """

    card: BackboneCard = VGG_M

    def __init__(
        self,
        *,
        width: float = 1.0,
        size: int = 224,
        norm: Literal["response", "batch"] = "response",
        init: Literal["he", "gaussian"] = "he",
    ) -> None:
        if width <= 0:
            msg = f"width must be positive, got {width}"
            raise ValueError(msg)
        self._convolutions = tuple(one.scaled(width) for one in _CONVOLUTIONS)
        side = size
        for one in self._convolutions:
            side = one.side(side)
        self._side = pooled_side(side)
        if self._side < 1:
            msg = f"images of {size} pixels are too small for vgg_m: nothing of them reaches fc6"
            raise ValueError(msg)
        self._norm, self._init = norm, init
        self.card = replace(VGG_M, dim=scaled(_FC6, width))
        self.inputs = Inputs(
            view=View(frames=1, size=size),
            mean=(103.939, 116.779, 123.68),
            std=(1.0, 1.0, 1.0),
            scale=1.0,
            order="bgr",
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, normalised float clips (B, 3, T, H, W) -> (B, dim)."""
        units, dim = self._convolutions[-1].channels * self._side**2, self.card.dim
        with seeded(seed):
            fc6 = (
                ("pool5", max_pool()),
                ("flatten", nn.Flatten()),
                ("linear", nn.Linear(units, dim)),
                ("relu6", nn.ReLU(inplace=True)),
            )
            feature_map = nn.Sequential(OrderedDict(self._feature_map()))
            network = PerFrame(feature_map, {"fc6": nn.Sequential(OrderedDict(fc6))})
            for module in network.modules():
                if isinstance(module, nn.Conv2d | nn.Linear):
                    self._draw(module)
        return network

    def converted(self, file: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of Cadene's file to those of the network."""
        return from_cadene(file)

    def _feature_map(self) -> Iterator[tuple[str, nn.Module]]:
        channels = 3
        for number, one in enumerate(self._convolutions, 1):
            yield f"conv{number}", one.layer(channels)
            if self._norm == "batch":
                yield f"norm{number}", nn.BatchNorm2d(one.channels)
            yield f"relu{number}", nn.ReLU(inplace=True)
            if one.pooled and self._norm == "response":
                yield f"norm{number}", AcrossChannels(5, alpha=5e-4, beta=0.75, k=2.0)
            if one.pooled:
                yield f"pool{number}", max_pool()
            channels = one.channels

    def _draw(self, layer: nn.Conv2d | nn.Linear) -> None:
        assert layer.bias is not None
        if self._init == "gaussian":
            nn.init.normal_(layer.weight, std=0.01)
        else:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
