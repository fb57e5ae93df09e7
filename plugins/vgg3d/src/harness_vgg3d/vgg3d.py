"""VGG-3D as a method."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.cards import View
from harness.errors import UsageError, unknown
from harness_vgg3d.cards import VGG3D
from harness_vgg3d.frame_method import FrameMethod
from harness_vgg3d.frame_network import FrameNetwork
from harness_vgg3d.head import POOL, Head
from harness_vgg3d.trunk import Trunk

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.cards import MethodCard
    from harness.interfaces import Backbone
    from harness.values import Inputs


@dataclass(kw_only=True)
class Vgg3d(FrameMethod):
    """Learn a 3D convolution and fully connected layers on concatenated frame maps.

    Maps are those of the backbone's spatial layer, conv5_4 of `vgg19`, or of the option `layer`. The vectors are those
    of the second fully connected layer; the third classifies them, and the encoder keeps it.

    Source: Husain, Dellen and Torras 2016, section IV-A; with `order: shuffled`, section V-C.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = VGG3D

    layer: str = ""
    """Layer of the backbone that gives the maps; its spatial one when empty.

    Of timm's VGG-19 `features.35` is conv5_4, and its spatial layer is behind the pool.
    """
    channels: int = 128
    """Filters of the 3D convolution."""
    units: int = 1024
    """Units of both fully connected layers, and length of the vectors."""
    kernel: Literal[1, 3] = 3
    """Frames that the 3D convolution is over; 1 sees each frame alone."""
    order: Literal["time", "shuffled"] = "time"
    """Order of frames in training; `shuffled` draws one at each presentation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if min(self.channels, self.units) < 1 or self.frames < POOL[0]:
            msg = (
                f"method {self.card.name!r}: channels and units must be at least 1 and frames at least {POOL[0]}, "
                f"got {self.channels}, {self.units} and {self.frames}"
            )
            raise UsageError(msg)

    def dim(self, backbone: Backbone) -> int:
        """Length of the vectors; the backbone has to have a layer of maps."""
        card = backbone.card
        if not (self.layer or card.spatial):
            msg = (
                f"method {self.card.name!r} concatenates the maps of a backbone's spatial layer, and "
                f"{card.name!r} has none; choose another backbone, or name a layer"
            )
            raise UsageError(msg)
        if self.layer and self.layer not in (*card.layers, card.spatial):
            raise unknown(f"layer of backbone {card.name!r}:", self.layer, (*card.layers, card.spatial))
        return self.units

    def assemble(self, network: nn.Module, backbone: Backbone, inputs: Inputs) -> FrameNetwork:
        """Cut the network behind its layer of maps, and put a new head on it."""
        assert isinstance(inputs.view, View)  # `clip_inputs` makes it
        trunk = Trunk(network, self.layer or backbone.card.spatial, inputs.view.size)
        channels, height, width = trunk.shape
        head = Head(
            (channels, self.frames, height, width),
            channels=self.channels,
            units=self.units,
            kernel=self.kernel,
            dropout=self.dropout,
        )
        return FrameNetwork(trunk, head)

    def orders(self, size: int, generator: torch.Generator) -> Tensor | None:
        """A random order for each clip, or time's."""
        if self.order == "time":
            return None
        return torch.rand(size, self.frames, generator=generator).argsort(1)
