"""Methods of temporal coherency: one network, a loss over an example's frames."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch

from harness.errors import UsageError
from harness.system.seeding import derive_seed
from harness.training.gradient_method import GradientMethod
from harness.values import Batch
from harness_temporal_coherency import QUADRUPLET, SFA, SIAMESE, TRIPLET
from harness_temporal_coherency.losses import Distance, SharedNetwork, contrastive, quadruplet, siamese, triplet
from harness_temporal_coherency.sampling import (
    Contiguous,
    Examples,
    lengths,
    quadruplets,
    read_roles,
    sfa_pairs,
    siamese_pairs,
    triplets,
)

if TYPE_CHECKING:
    from torch import Tensor, nn

    from harness.cards import MethodCard, View
    from harness.interfaces import Session, Split


@dataclass(kw_only=True)
class _CoherencyMethod(GradientMethod):
    """Method with one frame for each role of an example, and the optimiser's defaults.

    Raises:
        UsageError: when `colour` is not from 0 to 0.5.
    """

    roles: ClassVar[int]

    colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper.

    It keeps palettes from telling videos apart.
    """
    batch_size: int = 40
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.005

    def __post_init__(self) -> None:
        if not 0 <= self.colour <= 0.5:
            msg = f"method {self.card.name!r}: colour must be from 0 to 0.5, got {self.colour}"
            raise UsageError(msg)

    @abstractmethod
    def sample(self, n_frames: Tensor, count: int, generator: torch.Generator, first: int = 0) -> Examples:
        """Sample `count` examples of videos with `n_frames` (N,) frames.

        `first` is the number of the first one in the fit.
        """

    def frames_per_example(self, view: View) -> int:
        """Return the number of roles, one frame each."""
        return self.roles

    def batch(self, train: Split, view: View, size: int, step: int, session: Session) -> Batch:
        """Read this process's examples of a step.

        Kinds of pairs go on over steps and processes.
        """
        generator = torch.Generator().manual_seed(derive_seed(session.budget.seed, step, session.rank))
        return self.draw(train, view, size, generator, (step * session.world + session.rank) * size)

    def draw(self, train: Split, view: View, size: int, generator: torch.Generator, first: int = 0) -> Batch:
        """Draw `size` examples: all frames of the first role, then all of the second, ..."""
        examples = self.sample(lengths(train), size, generator, first)
        return Batch(read_roles(train, view, examples, self.colour, generator), examples.together)


@dataclass(kw_only=True)
class SlowFeatureAnalysis(_CoherencyMethod):
    """Draw contiguous frames together and push distant ones of the video apart.

    One example is a pair of frames. Source: Mobahi, Collobert and Weston 2009, as Redondo-Cabrera and Lopez-Sastre
    2019 compare with it: the Siamese network with the contrastive loss of Hadsell et al.

    Raises:
        UsageError: when `colour` is not from 0 to 0.5.
    """

    card: ClassVar[MethodCard] = SFA
    roles: ClassVar[int] = 2

    margin: float = 1.0
    """delta of the paper; vectors have length 1, so that distances end at 2."""
    batch_size: int = 120

    def sample(self, n_frames: Tensor, count: int, generator: torch.Generator, first: int = 0) -> Examples:
        """Sample pairs of contiguous and of distant frames."""
        return sfa_pairs(n_frames, count, generator, first=first)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build the contrastive loss of unit vectors."""
        return SharedNetwork(network, self.roles, partial(contrastive, margin=self.margin))


@dataclass(kw_only=True)
class Siamese(_CoherencyMethod):
    """Draw contiguous frames together and push frames of two videos a margin apart.

    One example is a pair of frames; half of the pairs are contiguous. Source: Redondo-Cabrera and Lopez-Sastre 2019,
    section 3.1.

    Raises:
        UsageError: when `window` is below 1, or `colour` not from 0 to 0.5.
    """

    card: ClassVar[MethodCard] = SIAMESE
    roles: ClassVar[int] = 2

    margin: float = 1.0
    """delta of the paper."""
    window: int = 1
    """w of the paper: frames from the anchor to the contiguous frame."""
    contiguous: Contiguous = "exactly"
    """Take the frame exactly `window` later, or uniformly 1 to `window` later."""
    released: bool = False
    """Use the loss of the authors' code in place of the paper's."""
    unit: bool = True
    """Scale vectors to length 1, as the released code does, to give margins a scale."""
    batch_size: int = 120

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window < 1:
            msg = f"method {self.card.name!r}: window must be at least 1, got {self.window}"
            raise UsageError(msg)

    def sample(self, n_frames: Tensor, count: int, generator: torch.Generator, first: int = 0) -> Examples:
        """Sample pairs of contiguous frames and of frames of two videos."""
        return siamese_pairs(n_frames, count, self.window, generator, contiguous=self.contiguous, first=first)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build the loss Ls."""
        loss = partial(siamese, margin=self.margin, released=self.released)
        return SharedNetwork(network, self.roles, loss, unit=self.unit)


@dataclass(kw_only=True)
class Triplet(_CoherencyMethod):
    """Bring a frame nearer to a later one of its video than to another video's.

    One example is a triplet of frames. Source: Wang and Gupta 2015, without their tracked patches and their mining of
    hard negatives, as in Redondo-Cabrera and Lopez-Sastre 2019, table 6.

    Raises:
        UsageError: when `gap` is below 1, or `colour` not from 0 to 0.5.
    """

    card: ClassVar[MethodCard] = TRIPLET
    roles: ClassVar[int] = 3

    margin: float = 0.5
    distance: Distance = "cosine"
    """Cosine as in the source; Euclidean as in Redondo-Cabrera and Lopez-Sastre.

    Vectors are scaled to length 1 for both.
    """
    gap: int = 20
    """Frames from the anchor to the later one; in a shorter video, to its last frame."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gap < 1:
            msg = f"method {self.card.name!r}: gap must be at least 1, got {self.gap}"
            raise UsageError(msg)

    def sample(self, n_frames: Tensor, count: int, generator: torch.Generator, first: int = 0) -> Examples:
        """Sample triplets of anchor, later frame and negative."""
        return triplets(n_frames, count, self.gap, generator)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build the loss Ld of unit vectors."""
        return SharedNetwork(network, self.roles, partial(triplet, margin=self.margin, distance=self.distance))


@dataclass(kw_only=True)
class Quadruplet(_CoherencyMethod):
    """Draw contiguous frames together and frames of a video nearer than another's.

    One example is a tuple of four frames. Source: Redondo-Cabrera and Lopez-Sastre 2019, section 3.2; the paper's best.

    Raises:
        UsageError: when `gap` is not larger than `window`, or `colour` not from 0 to 0.5.
    """

    card: ClassVar[MethodCard] = QUADRUPLET
    roles: ClassVar[int] = 4

    margin: float = 0.5
    """alpha of the paper."""
    window: int = 1
    """w of the paper: frames from the anchor to the contiguous frame."""
    contiguous: Contiguous = "exactly"
    """Take the frame exactly `window` later, or uniformly 1 to `window` later."""
    gap: int = 20
    """n of the paper: frames from the anchor to the later frame of its video.

    In a shorter video, to its last frame.
    """
    released: bool = False
    """Use the loss of the authors' code in place of the paper's."""
    unit: bool = True
    """Scale vectors to length 1, as the released code does, to give margins a scale."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.window < self.gap:
            msg = (
                f"method {self.card.name!r}: the gap must be larger than the window and the window at least 1, "
                f"got {self.gap} and {self.window}"
            )
            raise UsageError(msg)

    def sample(self, n_frames: Tensor, count: int, generator: torch.Generator, first: int = 0) -> Examples:
        """Sample tuples of anchor, contiguous frame, later frame and negative."""
        return quadruplets(n_frames, count, self.window, self.gap, generator, contiguous=self.contiguous)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> nn.Module:
        """Build the loss Lq."""
        loss = partial(quadruplet, margin=self.margin, released=self.released)
        return SharedNetwork(network, self.roles, loss, unit=self.unit)
