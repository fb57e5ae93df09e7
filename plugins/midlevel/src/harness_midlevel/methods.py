"""The paper's method, and the same with cross-entropy in place of its losses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.errors import UsageError
from harness_midlevel.cards import MIDLEVEL, MIDLEVEL_SOFTMAX
from harness_midlevel.concepts import (
    ConceptMethod,
    clusters_at_start,
    expect_members,
    expect_rate,
    pretrained,
    subsets_of_videos,
)
from harness_midlevel.detectors import NetworkDetectors
from harness_midlevel.encoder import ConceptEncoder
from harness_midlevel.reading import Kind
from harness_midlevel.rounds import Rounds, discover
from harness_midlevel.samples import draw
from harness_midlevel.training import Options

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split


@dataclass(kw_only=True)
class MidlevelSoftmax(ConceptMethod):
    """Concepts of a network that learns by cross-entropy from its own clusters.

    Source: third row of table 1 of Hou et al. 2018, "deep learning from clusters".

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = MIDLEVEL_SOFTMAX
    loss: ClassVar[Literal["joint", "softmax"]] = "softmax"

    network: Kind = "descriptors"
    """Local samples, and with them the network: fully connected or convolutional."""
    clusters: int | None = None
    """Clusters at the start, K0; 600 or 1,000, or fewer for few samples, when None."""
    members: int = 100
    """Samples that a cluster keeps, p."""
    subsets: int = 10
    """Subsets of whole videos that take turns, M."""
    cycles: int = 4
    """Largest number of rounds over all subsets."""
    least: int = 5
    """Members without which a cluster leaves."""
    pretraining_epochs: int = 10
    """Epochs of reconstruction before."""
    epochs: int = 4
    """Epochs over a round's clusters, and of the first round over its whole subset."""
    lr: float = 1e-3
    """Learning rate of Adam."""
    batch_size: int = 256
    """Samples of a step."""

    def _at_least(self) -> dict[str, int]:
        own = {"clusters": 2, "members": 1, "subsets": 2, "cycles": 1, "least": 1, "batch_size": 2}
        return {**super()._at_least(), **own, "pretraining_epochs": 0, "epochs": 1}

    def _options(self) -> Options:
        return Options(batch_size=self.batch_size, lr=self.lr)

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_members(self.card.name, self.least, self.members)
        expect_rate(self.card.name, self.lr)

    def _rounds(self, clusters: int) -> Rounds:
        return Rounds(clusters=clusters, members=self.members, least=self.least, cycles=self.cycles)

    def fit(self, backbone: Backbone, train: Split, session: Session) -> ConceptEncoder:
        """Learn to reconstruct samples, then alternate between clusters and network.

        Raises:
            DataError: when a video does not decode, or there are no trajectories.
            DivergedError: when a loss becomes NaN or infinite, or hardly any detector fires.
            UsageError: when there are too few samples or videos.
        """
        reading = self._reading(self.network, session)
        samples = draw(train, reading, session, videos=self.videos)
        subsets = subsets_of_videos(self.card.name, samples, self.subsets, session)
        clusters = clusters_at_start(self.card.name, self.clusters, self.members, subsets, self.network)
        network, log = pretrained(self.network, samples, session, self.pretraining_epochs, self._options())
        detectors = NetworkDetectors(
            network, self._options(), loss=self.loss, epochs=self.epochs, rank=session.rank, world=session.world
        )
        members, rounds = discover(
            detectors, samples.rows, subsets, session, self._rounds(clusters), seed=session.budget.seed
        )
        log = {**log, "rounds": rounds}
        return self._of_members(reading, network, samples.rows, members, detectors, log, session)


@dataclass(kw_only=True)
class Midlevel(MidlevelSoftmax):
    """Concepts of a network that learns from what it detects, by two losses.

    Source: Hou, Wu, Chen, Luo and Jia, "Unsupervised deep learning of mid-level video representation for action
    recognition", AAAI 2018, algorithm 1.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = MIDLEVEL
    loss: ClassVar[Literal["joint", "softmax"]] = "joint"

    alpha: float = 0.5
    """Share of the hinge loss in the joint loss, eq. 6."""
    penalty: float = 1e-4
    """Factor of the squared weights of the classifier, eq. 5."""
    positive_weight: float | Literal["sqrt"] = "sqrt"
    """Weight of a sample's own cluster in the hinge loss; `sqrt` is the root of K.

    The paper's is 1.
    """
    hinge_first: Literal["once", "every_round"] = "once"
    """Rounds in which the hinge loss alone comes first, on the whole subset."""

    def __post_init__(self) -> None:
        super().__post_init__()
        weight = 1.0 if self.positive_weight == "sqrt" else float(self.positive_weight)
        if not 0 <= self.alpha <= 1 or self.penalty < 0 or weight <= 0:
            msg = (
                f"method {self.card.name!r}: alpha must be in [0, 1], penalty at least 0 and positive_weight above 0, "
                f"got {self.alpha}, {self.penalty} and {self.positive_weight}"
            )
            raise UsageError(msg)

    def _options(self) -> Options:
        return Options(
            batch_size=self.batch_size,
            lr=self.lr,
            alpha=self.alpha,
            penalty=self.penalty,
            positive_weight=self.positive_weight,
        )

    def _rounds(self, clusters: int) -> Rounds:
        return Rounds(
            clusters=clusters,
            members=self.members,
            least=self.least,
            cycles=self.cycles,
            hinge_first=self.hinge_first,
        )
