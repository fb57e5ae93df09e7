"""The paper's method, and the three that its table 1 sets beside it."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import UsageError
from harness.functional.effective_rank import effective_rank
from harness.functional.kmeans import kmeans
from harness.system.seeding import derive_seed, seeded
from harness.values import Promise
from harness_dense_trajectories.projections import fit_pca
from harness_dense_trajectories.settings import Flow
from harness_midlevel.cards import MIDLEVEL, MIDLEVEL_KMEANS, MIDLEVEL_SOFTMAX, MIDLEVEL_SVM
from harness_midlevel.detectors import NetworkDetectors, SvmDetectors
from harness_midlevel.encoder import Codes, ConceptEncoder, Learnt, coded, new_network
from harness_midlevel.firing import Members
from harness_midlevel.networks import Autoencoder
from harness_midlevel.reading import Kind, Norm, Reading
from harness_midlevel.rounds import Rounds, discover
from harness_midlevel.samples import Samples, draw
from harness_midlevel.training import Options, explained_variance, pca_variance, train_autoencoder
from harness_midlevel.vlad import Vlad, calibrate_beta

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split, Stage

ITERATIONS = 100
"""Iterations of k-means."""
SOME = 20_000
"""Samples that beta is calibrated on, and the rank of codes is measured on."""
INITIAL = {"descriptors": 600, "volumes": 1000}
"""Clusters that the paper starts from."""


@dataclass(kw_only=True)
class _ConceptMethod:
    """Options of the local samples and of VLAD, the same for every way to concepts.

    The backbone is not used. Samples are those of videos drawn at random, whose frames the budget bounds.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard]

    videos: int = 3500
    """Largest number of videos to learn from; the budget bounds it too."""
    samples: int = 200
    """Largest number of local samples of a video, learnt from and encoded."""
    norm: Norm = "concat"
    """Length 1 for the whole descriptor, or the same for each of its histograms."""
    flow: Flow = "dis"
    """Optical flow that tracks follow."""
    beta: float | None = None
    """Sharpness of the soft assignment of VLAD; by `perplexity` when None."""
    perplexity: float = 3.0
    """Concepts that a sample is assigned to on average, which decides beta."""

    def __post_init__(self) -> None:
        for name, least in self._at_least().items():
            number = getattr(self, name)
            if number is not None and number < least:
                msg = f"method {self.card.name!r}: {name} must be at least {least}, got {number}"
                raise UsageError(msg)
        if (self.beta is not None and self.beta < 0) or self.perplexity <= 1:
            msg = (
                f"method {self.card.name!r}: beta must be at least 0 and perplexity above 1, got {self.beta} and "
                f"{self.perplexity}"
            )
            raise UsageError(msg)

    def _at_least(self) -> dict[str, int]:
        return {"videos": 1, "samples": 1}

    def promise(self, backbone: Backbone) -> Promise:
        """Vectors of whole videos, whose length the fit decides."""
        return Promise(views=(WholeVideo(),), shape=(None,))

    def load(self, backbone: Backbone, folder: Path) -> ConceptEncoder:
        """Load the encoder that `save` wrote.

        Raises:
            DataError: when the content of `folder` is not what was written.
        """
        return ConceptEncoder.load(folder)

    @abstractmethod
    def fit(self, backbone: Backbone, train: Split, session: Session) -> ConceptEncoder:
        """Learn concepts from `train`."""

    def _reading(self, kind: Kind, session: Session) -> Reading:
        return Reading(kind=kind, most=self.samples, norm=self.norm, flow=self.flow, device=session.device)

    def _encoder(
        self, reading: Reading, codes: Codes, points: Tensor, concepts: Tensor, learnt: Learnt, session: Session
    ) -> ConceptEncoder:
        """Build the encoder over `concepts` (K, D), with beta from some codes (N, D)."""
        generator = torch.Generator().manual_seed(derive_seed(session.budget.seed, *b"some"))
        some = points[torch.randperm(len(points), generator=generator)[:SOME].to(points.device)]
        beta = self.beta
        if beta is None:
            beta = calibrate_beta(some, concepts, perplexity=min(self.perplexity, (1 + len(concepts)) / 2))
        log = {**learnt.log, "effective_rank": effective_rank(some)}
        return ConceptEncoder(reading, codes, Vlad(concepts, beta), replace(learnt, log=log))


@dataclass(kw_only=True)
class MidlevelKmeans(_ConceptMethod):
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

    def _at_least(self) -> dict[str, int]:
        return {**super()._at_least(), "concepts": 1, "dim": 1, "pretraining_epochs": 0, "batch_size": 2}

    def fit(self, backbone: Backbone, train: Split, session: Session) -> ConceptEncoder:
        """Cluster the codes of samples of `train`.

        Raises:
            DataError: when a video does not decode, or there are no trajectories.
            UsageError: when there are fewer samples than concepts or components.
        """
        reading = self._reading(self.network, session)
        samples = draw(train, reading, session, videos=self.videos)
        _expect(self.card.name, len(samples.rows), concepts=self.concepts, dim=self.dim if self.codes == "pca" else 1)
        log: dict[str, Any] = {}
        if self.codes == "pca":
            codes: Codes = fit_pca(samples.rows, dim=self.dim)
        else:
            options = Options(batch_size=self.batch_size, lr=self.lr)
            codes, log = _pretrained(self.network, samples, session, self.pretraining_epochs, options)
        points = coded(codes, samples.rows)
        seed = derive_seed(session.budget.seed, *b"concepts")
        centres = kmeans(points, self.concepts, [seed], iterations=ITERATIONS).centres[0]
        return self._encoder(reading, codes, points, centres, Learnt(log=log), session)


@dataclass(kw_only=True)
class MidlevelSvm(_ConceptMethod):
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
        _expect_members(self.card.name, self.least, self.members)

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
        subsets = _subsets(self.card.name, samples, 2, session)
        rounds = Rounds(
            clusters=_clusters(self.card.name, self.clusters, self.members, subsets, "descriptors"),
            members=self.members,
            least=self.least,
            cycles=self.cycles,
        )
        members, log = discover(detectors, samples.rows, subsets, session, rounds, seed=session.budget.seed)
        points = coded(None, samples.rows)
        known, concepts = concept_centres(points, members)
        weight, bias = (part[known] for part in detectors.linear().values())
        learnt = Learnt(weight=weight, bias=bias, log={"rounds": log})
        return self._encoder(reading, None, points, concepts, learnt, session)


@dataclass(kw_only=True)
class MidlevelSoftmax(_ConceptMethod):
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
        return {**super()._at_least(), **own, "pretraining_epochs": 0, "epochs": 0}

    def _options(self) -> Options:
        return Options(batch_size=self.batch_size, lr=self.lr)

    def __post_init__(self) -> None:
        super().__post_init__()
        _expect_members(self.card.name, self.least, self.members)

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
        subsets = _subsets(self.card.name, samples, self.subsets, session)
        clusters = _clusters(self.card.name, self.clusters, self.members, subsets, self.network)
        network, log = _pretrained(self.network, samples, session, self.pretraining_epochs, self._options())
        detectors = NetworkDetectors(
            network, self._options(), loss=self.loss, epochs=self.epochs, rank=session.rank, world=session.world
        )
        members, rounds = discover(
            detectors, samples.rows, subsets, session, self._rounds(clusters), seed=session.budget.seed
        )
        points = detectors.codes(samples.rows)
        known, concepts = concept_centres(points, members)
        weight, bias = (part[known] for part in detectors.linear().values())
        learnt = Learnt(weight=weight, bias=bias, log={**log, "rounds": rounds})
        return self._encoder(reading, network, points, concepts, learnt, session)


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


def concept_centres(codes: Tensor, members: Members) -> tuple[Tensor, Tensor]:
    """Clusters that have members (K,), rising, and their concepts (K, D).

    A concept is the mean of the codes (N, D) of a cluster's members.

    Source: Hou et al. 2018, "Our Method": the centre of the most discriminative volumes of each cluster.
    """
    known, owner = torch.unique(members.clusters, return_inverse=True)
    sums = codes.new_zeros(len(known), codes.shape[1]).index_add_(0, owner, codes[members.samples])
    concepts: Tensor = sums / owner.bincount(minlength=len(known)).to(codes)[:, None]
    return known, concepts


def _pretrained(
    kind: Kind, samples: Samples, session: Session, epochs: int, options: Options
) -> tuple[Autoencoder, dict[str, Any]]:
    """Train an autoencoder; gives it with its share of the variance, for the log.

    Its codes are brought to mean 0 and unit deviation.
    """
    with seeded(derive_seed(session.budget.seed, *b"network")):
        network = new_network(kind)
    network.to(session.device)

    def pretrain(stage: Stage) -> None:
        network.set_mean(samples.rows)
        train_autoencoder(
            network,
            samples.rows,
            stage,
            epochs=epochs,
            options=options,
            seed=derive_seed(session.budget.seed, *b"pretraining"),
            rank=session.rank,
            world=session.world,
        )

    session.stage("pretraining", pretrain, network)
    network.eval()
    log = {"explained_variance": explained_variance(network, samples.rows)}
    if kind == "descriptors":
        log["pca_variance"] = pca_variance(samples.rows, network.dim)
    network.standardise(samples.rows)
    return network, log


def _subsets(name: str, samples: Samples, count: int, session: Session) -> list[Tensor]:
    """Subsets of whole videos.

    Raises:
        UsageError: when there are fewer videos than subsets.
    """
    try:
        return samples.subsets(count, session.budget.seed)
    except ValueError as error:
        msg = f"method {name!r}: {error}; ask for fewer subsets, or give it more frames"
        raise UsageError(msg) from error


def _clusters(name: str, wanted: int | None, members: int, subsets: list[Tensor], kind: Kind) -> int:
    """Clusters at the start.

    Raises:
        UsageError: when all their members would be more than half of the smallest subset.
    """
    room = min(len(rows) for rows in subsets) // (2 * members)
    if wanted is None and room >= 2:
        return min(INITIAL[kind], room)
    if room < (wanted or 2):
        msg = (
            f"method {name!r}: {wanted or 2} clusters of {members} members need twice as many samples, got "
            f"{min(len(rows) for rows in subsets)} in the smallest subset: ask for fewer clusters, members or subsets"
        )
        raise UsageError(msg)
    assert wanted is not None
    return wanted


def _expect_members(name: str, least: int, members: int) -> None:
    """Refuse clusters that would all leave.

    Raises:
        UsageError: then.
    """
    if least > members:
        msg = f"method {name!r}: least must be at most the {members} members of a cluster, got {least}"
        raise UsageError(msg)


def _expect(name: str, count: int, **wanted: int) -> None:
    """Refuse fewer samples than something wants.

    Raises:
        UsageError: then, naming it.
    """
    for option, number in wanted.items():
        if count < number:
            msg = f"method {name!r}: {option} must be at most the {count} samples, got {number}"
            raise UsageError(msg)
