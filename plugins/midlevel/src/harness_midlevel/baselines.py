"""Baselines of concepts: k-means, and linear SVMs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from torch import Tensor

from harness.errors import UsageError
from harness.functional.kmeans import kmeans
from harness.system.seeding import derive_seed
from harness_dense_trajectories.projections import Pca, fit_pca
from harness_midlevel.cards import MIDLEVEL_KMEANS, MIDLEVEL_SVM
from harness_midlevel.concepts import (
    ConceptMethod,
    clusters_at_start,
    expect_members,
    expect_rate,
    pretrained,
    subsets_of_videos,
)
from harness_midlevel.detectors import SvmDetectors
from harness_midlevel.encoder import Codes, ConceptEncoder, Learnt, coded
from harness_midlevel.reading import Kind
from harness_midlevel.rounds import Rounds, discover
from harness_midlevel.samples import draw
from harness_midlevel.training import Options

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split

ITERATIONS = 100
"""Iterations of k-means."""


@dataclass(kw_only=True)
class MidlevelKmeans(ConceptMethod):
    """Concepts of k-means, on principal components or an autoencoder's codes.

    Source: Hou et al. 2018, first row of table 1; VLAD of Peng et al. 2016 with 512 centres.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = MIDLEVEL_KMEANS

    concepts: int = 512
    """Centres."""
    codes: Literal["pca", "autoencoder"] = "pca"
    """Points that are clustered: principal components, or an autoencoder's codes."""
    network: Kind = "descriptors"
    """Local samples."""
    dim: int = 198
    """Principal components."""
    pretraining_epochs: int = 10
    """Epochs of the autoencoder."""
    lr: float = 1e-3
    """Learning rate of the autoencoder."""
    batch_size: int = 256
    """Samples of a step of the autoencoder."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.codes == "pca" and self.network == "volumes":
            msg = f"method {self.card.name!r}: principal components are of descriptors; take codes: autoencoder"
            raise UsageError(msg)
        expect_rate(self.card.name, self.lr)

    def _at_least(self) -> dict[str, int]:
        return {**super()._at_least(), "concepts": 2, "dim": 1, "pretraining_epochs": 0, "batch_size": 2}

    def fit(self, backbone: Backbone, train: Split, session: Session) -> ConceptEncoder:
        """Cluster the codes of samples of `train`.

        Raises:
            DataError: when a video does not decode, or there are no trajectories.
            UsageError: when there are fewer samples than concepts or components.
        """
        reading = self._reading(self.network, session)
        samples = draw(train, reading, session, videos=self.videos)
        if len(samples.rows) < self.concepts:
            count = len(samples.rows)
            msg = f"method {self.card.name!r}: concepts must be at most the {count} samples, got {self.concepts}"
            raise UsageError(msg)
        log: dict[str, Any] = {}
        if self.codes == "pca":
            codes: Codes = self._components(samples.rows)
        else:
            options = Options(batch_size=self.batch_size, lr=self.lr)
            codes, log = pretrained(self.network, samples, session, self.pretraining_epochs, options)
        points = coded(codes, samples.rows)
        seed = derive_seed(session.budget.seed, *b"concepts")
        centres = kmeans(points, self.concepts, [seed], iterations=ITERATIONS).centres[0]
        return self._encoder(reading, codes, samples.rows, centres, Learnt(log=log), session)

    def _components(self, rows: Tensor) -> Pca:
        """Principal components of samples.

        Raises:
            UsageError: when the samples have fewer.
        """
        try:
            return fit_pca(rows, dim=self.dim)
        except ValueError as error:
            msg = f"method {self.card.name!r}: {error}; ask for a smaller dim, or give it more samples"
            raise UsageError(msg) from error


@dataclass(kw_only=True)
class MidlevelSvm(ConceptMethod):
    """Concepts of linear SVMs, trained on one half and fired on the other.

    Source: Singh, Gupta and Efros, "Unsupervised discovery of mid-level discriminative patches", ECCV 2012, as in the
    second row of table 1 of Hou et al. 2018.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = MIDLEVEL_SVM

    clusters: int | None = None
    """Clusters at the start; 600, or fewer where there are few samples, when None."""
    members: int = 5
    """Samples that a cluster keeps, p."""
    least: int = 3
    """Members without which a cluster leaves."""
    cycles: int = 2
    """Rounds over both halves."""

    def __post_init__(self) -> None:
        super().__post_init__()
        expect_members(self.card.name, self.least, self.members)

    def _at_least(self) -> dict[str, int]:
        return {**super()._at_least(), "clusters": 2, "members": 1, "least": 1, "cycles": 1}

    def fit(self, backbone: Backbone, train: Split, session: Session) -> ConceptEncoder:
        """Discover concepts among samples of `train`.

        Raises:
            DataError: when a video does not decode, or there are no trajectories.
            DivergedError: when hardly any detector fires.
            UsageError: when there are too few samples or videos.
        """
        reading = self._reading("descriptors", session)
        samples = draw(train, reading, session, videos=self.videos)
        detectors = SvmDetectors()
        subsets = subsets_of_videos(self.card.name, samples, 2, session)
        rounds = Rounds(
            clusters=clusters_at_start(self.card.name, self.clusters, self.members, subsets, "descriptors"),
            members=self.members,
            least=self.least,
            cycles=self.cycles,
        )
        members, log = discover(detectors, samples.rows, subsets, session, rounds, seed=session.budget.seed)
        return self._of_members(reading, None, samples.rows, members, detectors, {"rounds": log}, session)
