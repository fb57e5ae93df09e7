"""The Siamese method: frames of one video near, of two videos apart."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import UsageError
from harness.training.gradient_method import Batch, GradientMethod
from harness_temporal_coherency import SIAMESE
from harness_temporal_coherency.losses import siamese
from harness_temporal_coherency.sampling import lengths, siamese_pairs
from harness_temporal_coherency.shared import SharedNetwork, read_roles

if TYPE_CHECKING:
    import torch
    from torch import nn

    from harness.cards import BackboneCard, MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class Siamese(GradientMethod):
    """Contiguous frames of a video are drawn together, frames of two videos pushed a margin apart.

    One example is a pair of frames; half of the pairs are contiguous. Source: Redondo-Cabrera and Lopez-Sastre 2019,
    section 3.1.

    Raises:
        UsageError: when `window` is below 1.
    """

    card: ClassVar[MethodCard] = SIAMESE

    margin: float = 1.0
    """delta of the paper."""
    window: int = 1
    """w of the paper: frames from the anchor to the contiguous frame."""
    released: bool = False
    """The loss of the authors' code in place of the paper's."""
    unit: bool = True
    """Scale vectors to length 1, so that a margin means something; the released code does."""
    colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper. It keeps palettes from telling videos
    apart."""
    batch_size: int = 120
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if self.window < 1:
            msg = f"method {self.card.name!r}: window must be at least 1, got {self.window}"
            raise UsageError(msg)

    def frames_per_example(self, view: View) -> int:
        """The two of a pair."""
        return 2

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` pairs: all first frames, then all second ones."""
        pairs = siamese_pairs(lengths(train), size, self.window, generator)
        return Batch(read_roles(train, view, pairs.videos, pairs.frames, self.colour, generator), pairs.together)

    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """The network, twice."""
        return SharedNetwork(network, 2, partial(siamese, margin=self.margin, released=self.released), unit=self.unit)
