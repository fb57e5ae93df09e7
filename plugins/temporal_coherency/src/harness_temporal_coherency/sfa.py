"""Slow feature analysis with a contrastive loss, the paper's baseline."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import nn

from harness.training.gradient_method import Batch, GradientMethod
from harness_temporal_coherency import SFA
from harness_temporal_coherency.losses import contrastive
from harness_temporal_coherency.sampling import lengths, sfa_pairs
from harness_temporal_coherency.shared import SharedNetwork, read_roles

if TYPE_CHECKING:
    import torch

    from harness.cards import BackboneCard, MethodCard, View
    from harness.interfaces import Split


@dataclass(kw_only=True)
class SlowFeatureAnalysis(GradientMethod):
    """Contiguous frames of a video are drawn together, frames that lie apart in it pushed a margin away.

    One example is a pair of frames. Source: Mobahi, Collobert and Weston 2009, as Redondo-Cabrera and Lopez-Sastre
    2019 compare with it: the Siamese network with the contrastive loss of Hadsell et al.
    """

    card: ClassVar[MethodCard] = SFA

    margin: float = 1.0
    """delta of the paper; vectors have length 1, so that distances end at 2."""
    colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper. It keeps palettes from telling videos
    apart."""
    batch_size: int = 120
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def frames_per_example(self, view: View) -> int:
        """The two of a pair."""
        return 2

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator) -> Batch:
        """`size` pairs: all first frames, then all second ones."""
        pairs = sfa_pairs(lengths(train), size, generator)
        return Batch(read_roles(train, view, pairs.videos, pairs.frames, self.colour, generator), pairs.together)

    def objective(self, network: nn.Module, card: BackboneCard, train: Split) -> nn.Module:
        """The network, twice."""
        return SharedNetwork(network, 2, partial(contrastive, margin=self.margin))
