"""C3D up to its first or second fully connected layer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import Tensor, nn

from harness.backbones.caffe import scaled
from harness.cards import BackboneCard, View
from harness.errors import UsageError
from harness.system.seeding import seeded
from harness.values import Inputs
from harness_vgg3d.cards import C3D
from harness_vgg3d.weights_layouts import from_c3d

_FRAMES = 16
_STAGES = ((64, "a"), (128, "a"), (256, "ab"), (512, "ab"), (512, "ab"))
"""Channels of a stage's convolutions, and the letters in their names."""
_FC = 4096


class C3d:
    """C3D's eight 3D convolutions and first one or two fully connected layers.

    `conv1a` to `conv5b` are submodules of `feature_map`, 3 x 3 x 3 with a ReLU each, and so are `pool1` (1 x 2 x 2),
    `pool2` to `pool4` (2 x 2 x 2) and `pool5`, which at 112 pixels gives 512 x 1 x 4 x 4. `fc6` and `fc7` end in a
    ReLU; there is no dropout. Pixels are blue, green and red from 0 to 255, less the buffer `mean` (3, 16, size, size);
    the short side of a frame is 8/7 of `size`, 128 at 112.

    Sports-1M weights start it as `start: {weights: c3d.safetensors, learnt_from: sports1m, labels: true}`;
    `weights_layouts.read_c3d` makes that file of a released one and of the mean volume. A released file alone lacks
    the mean: it starts the network with the option `mean`. Those of `fc6` are for 112 pixels; at other sizes
    `strict: false` takes what fits.

    Args:
        output: layer whose output the vectors are; weights of a later one are left out.
        width: multiplies the channels of all convolutions and the units of `fc6` and `fc7`; even numbers, at least 2.
        size: pixels of the input.
        mean: of blue, green and red, from 0 to 255; fills the buffer where weights come without one. Sports-1M's are
            90.25, 97.66 and 101.41.
        pool5: `ceil` lets the last windows reach beyond the map, as Caffe does, where the weights were learnt;
            `padded` begins one pixel before it, as ports to PyTorch do: other values in the same shape.

    Raises:
        ValueError: when `width` is not positive, or `size` is below 16, the pixels of one value of `conv5b`.

    Source: Tran et al. 2015, and its release for Caffe. First weights are drawn as He et al. 2015 do, biases are 0.
    """

    card: BackboneCard = C3D

    def __init__(
        self,
        *,
        output: Literal["fc6", "fc7"] = "fc6",
        width: float = 1.0,
        size: int = 112,
        mean: tuple[float, float, float] = (0.0, 0.0, 0.0),
        pool5: Literal["ceil", "padded"] = "ceil",
    ) -> None:
        if width <= 0:
            msg = f"width must be positive, got {width}"
            raise ValueError(msg)
        if size < 16:
            msg = f"images of {size} pixels are too small for c3d: less than one value of conv5b; expected 16 or more"
            raise ValueError(msg)
        self._output, self._width, self._size, self._mean, self._pool5 = output, width, size, mean, pool5
        self.card = replace(C3D, dim=scaled(_FC, width))
        self.inputs = Inputs(
            view=View(frames=_FRAMES, stride=1, size=size, resize=round(size * 8 / 7)),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            scale=1.0,
            order="bgr",
        )

    def build(self, *, seed: int) -> nn.Module:
        """Build a network, float clips (B, 3, 16, H, W) from 0 to 255 -> (B, dim)."""
        side = -(-self._size // 16)
        side = -(-side // 2) if self._pool5 == "ceil" else side // 2 + 1
        dim = self.card.dim
        with seeded(seed):
            layers = {"fc6": _connected("6", scaled(_STAGES[-1][0], self._width) * side**2, dim)}
            if self._output == "fc7":
                layers["fc7"] = _connected("7", dim, dim)
            network = _LessMean(nn.Sequential(OrderedDict(self._feature_map())), layers, self._volume())
            for module in network.modules():
                if isinstance(module, nn.Conv3d | nn.Linear):
                    nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                    assert module.bias is not None
                    nn.init.zeros_(module.bias)
        return network

    def converted(self, file: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a file to those of the network.

        Add the option's mean where the file has none.
        """
        renamed = from_c3d(file, self._output)
        if any(self._mean):
            renamed.setdefault("mean", self._volume())
        return renamed

    def _volume(self) -> Tensor:
        means = torch.tensor(self._mean, dtype=torch.float32).view(3, 1, 1, 1)
        return means.expand(3, _FRAMES, self._size, self._size).clone()

    def _feature_map(self) -> Iterator[tuple[str, nn.Module]]:
        channels = 3
        for stage, (outputs, letters) in enumerate(_STAGES, 1):
            for letter in letters:
                yield f"conv{stage}{letter}", nn.Conv3d(channels, scaled(outputs, self._width), 3, padding=1)
                yield f"relu{stage}{letter}", nn.ReLU(inplace=True)
                channels = scaled(outputs, self._width)
            if stage == len(_STAGES) and self._pool5 == "padded":
                yield f"pool{stage}", nn.MaxPool3d(2, padding=(0, 1, 1))
            else:
                yield f"pool{stage}", nn.MaxPool3d((1, 2, 2) if stage == 1 else 2, ceil_mode=True)


class _LessMean(nn.Module):
    """Subtract a mean volume, then run a feature map and layers one after the other.

    Args:
        feature_map: clips (B, 3, T, H, W) -> (B, c, t, h, w).
        layers: by name; the last gives (B, dim).
        mean: (3, T, H, W), saved with the weights and not trained.
    """

    mean: Tensor

    def __init__(self, feature_map: nn.Module, layers: Mapping[str, nn.Module], mean: Tensor) -> None:
        super().__init__()
        self.register_buffer("mean", mean)
        self.feature_map: nn.Module = feature_map.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
        self._names = tuple(layers)
        for name, layer in layers.items():
            self.add_module(name, layer)

    def forward(self, clips: Tensor) -> Tensor:
        """(B, 3, T, H, W) -> (B, dim)."""
        if clips.shape[2:] != self.mean.shape[1:]:
            msg = f"c3d expects clips of {tuple(self.mean.shape[1:])} frames and pixels, got {tuple(clips.shape[2:])}"
            raise UsageError(msg)
        values: Tensor = self.feature_map(clips - self.mean)
        for name in self._names:
            values = self.get_submodule(name)(values)
        return values


def _connected(number: str, inputs: int, units: int) -> nn.Module:
    layers = (("flatten", nn.Flatten()), ("linear", nn.Linear(inputs, units)), (f"relu{number}", nn.ReLU(inplace=True)))
    return nn.Sequential(OrderedDict(layers))
