"""The quadruplet method, the paper's best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import UsageError
from harness.training.gradient_method import Batch, GradientMethod
from harness_temporal_coherency import QUADRUPLET
from harness_temporal_coherency.losses import quadruplet
from harness_temporal_coherency.sampling import lengths, quadruplets
from harness_temporal_coherency.shared import SharedNetwork, read_roles

if TYPE_CHECKING:
    import torch
    from torch import nn

    from harness.cards import BackboneCard, MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class Quadruplet(GradientMethod):
    """Contiguous frames near, and frames of one video nearer to each other than to another video's.

    One example is a tuple of four frames. Source: Redondo-Cabrera and Lopez-Sastre 2019, section 3.2.

    Raises:
        UsageError: when `gap` is not larger than `window`.
    """

    card: ClassVar[MethodCard] = QUADRUPLET

    margin: float = 0.5
    """alpha of the paper."""
    window: int = 1
    """w of the paper: frames from the anchor to the contiguous frame."""
    gap: int = 20
    """n of the paper: frames from the anchor to the later frame of its video; in a shorter video, to its last frame."""
    released: bool = False
    """The loss of the authors' code in place of the paper's."""
    unit: bool = True
    """Scale vectors to length 1, so that a margin means something; the released code does."""
    colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper. It keeps palettes from telling videos
    apart."""
    batch_size: int = 40
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if not 1 <= self.window < self.gap:
            msg = (
                f"method {self.card.name!r}: the gap must be larger than the window and the window at least 1, "
                f"got {self.gap} and {self.window}"
            )
            raise UsageError(msg)

    def frames_per_example(self, view: View) -> int:
        """The four of a tuple."""
        return 4

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` tuples: all anchors, then all following, later and negative frames."""
        drawn = quadruplets(lengths(train), size, self.window, self.gap, generator)
        return Batch(read_roles(train, view, drawn.videos, drawn.frames, self.colour, generator))

    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """The network, four times."""
        loss = partial(quadruplet, margin=self.margin, released=self.released)
        return SharedNetwork(network, 4, loss, unit=self.unit)
