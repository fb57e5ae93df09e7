"""The quadruplet method, the paper's best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import nn

from harness.errors import DataError
from harness.training import Batch, GradientMethod
from harness.video.batch import read_clips
from harness_temporal_coherency import QUADRUPLET
from harness_temporal_coherency.losses import quadruplet
from harness_temporal_coherency.sampling import lengths, quadruplets
from harness_temporal_coherency.siamese import Siamese, by_role

if TYPE_CHECKING:
    import torch

    from harness.cards import BackboneCard, MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class Quadruplet(GradientMethod):
    """Contiguous frames near, and frames of one video nearer to each other than to another video's.

    One example is a tuple of four frames. Source: Redondo-Cabrera and Lopez-Sastre 2019, section 3.2.

    Raises:
        ValueError: when `gap` is not larger than `window`.
        DataError: when the training split has one video only.
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
    batch_size: int = 40
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if not 1 <= self.window < self.gap:
            msg = f"the gap must be larger than the window and the window at least 1, got {self.gap} and {self.window}"
            raise ValueError(msg)

    def frames_per_example(self, view: View) -> int:
        """The four of a tuple."""
        return 4

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` tuples: all anchors, then all following, later and other frames."""
        tuples = quadruplets(lengths(train), size, self.window, self.gap, generator)
        videos, frames = by_role(tuples.videos).flatten(), by_role(tuples.frames)
        return Batch(read_clips(train, videos, frames, size=view.size, generator=None))

    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """The network, four times."""
        if len(train) < 2:
            msg = "the quadruplet method needs a second video to take the other frame from; the training split has one"
            raise DataError(msg)
        return Siamese(network, 4, partial(quadruplet, margin=self.margin, released=self.released))
