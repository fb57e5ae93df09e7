"""The triplet method of Wang and Gupta, as the paper compares with it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import UsageError
from harness.training.gradient_method import Batch, GradientMethod
from harness_temporal_coherency import TRIPLET
from harness_temporal_coherency.losses import triplet
from harness_temporal_coherency.sampling import lengths, triplets
from harness_temporal_coherency.shared import SharedNetwork, read_roles

if TYPE_CHECKING:
    import torch
    from torch import nn

    from harness.cards import BackboneCard, MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class Triplet(GradientMethod):
    """A frame nearer to a later one of its video than to another video's, by a margin.

    One example is a triplet of frames. Source: Wang and Gupta 2015, without their tracked patches and their mining of
    hard negatives, as in Redondo-Cabrera and Lopez-Sastre 2019, table 6.

    Raises:
        UsageError: when `gap` is below 1.
    """

    card: ClassVar[MethodCard] = TRIPLET

    margin: float = 0.5
    gap: int = 20
    """Frames from the anchor to the later one; in a shorter video, to its last frame."""
    colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper. It keeps palettes from telling videos
    apart."""
    batch_size: int = 40
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if self.gap < 1:
            msg = f"method {self.card.name!r}: gap must be at least 1, got {self.gap}"
            raise UsageError(msg)

    def frames_per_example(self, view: View) -> int:
        """The three of a triplet."""
        return 3

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` triplets: all anchors, then all later and negative frames."""
        drawn = triplets(lengths(train), size, self.gap, generator)
        return Batch(read_roles(train, view, drawn.videos, drawn.frames, self.colour, generator))

    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """The network, three times; the loss is of angles."""
        return SharedNetwork(network, 3, partial(triplet, margin=self.margin), unit=False)
