"""Options that all methods of concepts share, and steps of their fits."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.cards import WholeVideo
from harness.errors import UsageError
from harness.functional.effective_rank import effective_rank
from harness.system import progress
from harness.system.seeding import derive_seed, seeded
from harness.values import Promise
from harness_dense_trajectories.settings import Flow
from harness_midlevel.encoder import Codes, ConceptEncoder, Learnt, coded, new_network
from harness_midlevel.firing import Members
from harness_midlevel.networks import Autoencoder
from harness_midlevel.protocols import Detectors
from harness_midlevel.reading import Kind, Norm, Reading
from harness_midlevel.samples import Samples
from harness_midlevel.training import Options, explained_variance, pca_variance, train_autoencoder
from harness_midlevel.vlad import Vlad, calibrate_beta

if TYPE_CHECKING:
    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Session, Split, Stage

SOME = 20_000
"""Samples that beta is calibrated on, and the rank of codes is measured on."""
ENOUGH = 0.9
"""Share of principal components' variance that an autoencoder should explain."""
INITIAL = {"descriptors": 600, "volumes": 1000}
"""Clusters that the paper starts from."""


@dataclass(kw_only=True)
class ConceptMethod:
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
    """Concepts that a sample goes to on average, which decides beta.

    At most (1 + K) / 2, which is taken in place of a larger one.
    """

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
        self, reading: Reading, codes: Codes, rows: Tensor, concepts: Tensor, learnt: Learnt, session: Session
    ) -> ConceptEncoder:
        """Build the encoder over `concepts` (K, D), with beta from some of the samples."""
        generator = torch.Generator().manual_seed(derive_seed(session.budget.seed, *b"some"))
        some = coded(codes, rows[torch.randperm(len(rows), generator=generator)[:SOME].to(rows.device)])
        log = {**learnt.log, "effective_rank": effective_rank(some)}
        beta = self.beta
        if beta is None:
            log["perplexity"] = min(self.perplexity, (1 + len(concepts)) / 2)
            beta = calibrate_beta(some, concepts, perplexity=log["perplexity"])
        return ConceptEncoder(reading, codes, Vlad(concepts, beta), replace(learnt, log=log))

    def _of_members(
        self,
        reading: Reading,
        codes: Codes,
        rows: Tensor,
        members: Members,
        detectors: Detectors,
        log: Mapping[str, Any],
        session: Session,
    ) -> ConceptEncoder:
        """Build the encoder over the centres of clusters of the samples."""
        known, concepts = concept_centres(coded(codes, rows[members.samples]), members.clusters)
        linear = detectors.linear()
        learnt = Learnt(weight=linear["weight"][known], bias=linear["bias"][known], log=log)
        return self._encoder(reading, codes, rows, concepts, learnt, session)


def concept_centres(codes: Tensor, clusters: Tensor) -> tuple[Tensor, Tensor]:
    """Clusters that have members (K,), rising, and their concepts (K, D).

    Args:
        codes: of members, (M, D), whose mean is their cluster's concept.
        clusters: (M,) int64, rising.

    Source: Hou et al. 2018, "Our Method": the centre of the most discriminative volumes of each cluster.

    >>> concept_centres(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 2]))
    (tensor([0, 2]), tensor([[2.],
            [5.]]))
    """
    known = torch.unique_consecutive(clusters)
    # Bags of rows in their order: sums by index come in any order on an accelerator.
    rows, starts = torch.arange(len(codes), device=codes.device), torch.searchsorted(clusters, known)
    return known, F.embedding_bag(rows, codes, starts, mode="mean")


def subsets_of_videos(name: str, samples: Samples, count: int, session: Session) -> list[Tensor]:
    """Subsets of whole videos.

    Raises:
        UsageError: when there are fewer videos than subsets.
    """
    try:
        return samples.subsets(count, session.budget.seed)
    except ValueError as error:
        msg = f"method {name!r}: {error}; give it more videos and frames, or ask for fewer subsets"
        raise UsageError(msg) from error


def clusters_at_start(name: str, wanted: int | None, members: int, subsets: list[Tensor], kind: Kind) -> int:
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


def expect_members(name: str, least: int, members: int) -> None:
    """Refuse clusters that would all leave.

    Raises:
        UsageError: then.
    """
    if least > members:
        msg = f"method {name!r}: least must be at most the {members} members of a cluster, got {least}"
        raise UsageError(msg)


def expect_rate(name: str, lr: float) -> None:
    """Refuse a learning rate that is not positive.

    Raises:
        UsageError: then.
    """
    if lr <= 0:
        msg = f"method {name!r}: lr must be above 0, got {lr}"
        raise UsageError(msg)


def pretrained(
    kind: Kind, samples: Samples, session: Session, epochs: int, options: Options
) -> tuple[Autoencoder, dict[str, Any]]:
    """Train an autoencoder; gives it with its share of the variance, for the log.

    Its codes are brought to mean 0 and unit deviation. One of descriptors that explains under `ENOUGH` of what as many
    principal components explain has not learnt enough, which is said.

    Raises:
        UsageError: when all samples are equal.
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
    try:
        log = {"explained_variance": explained_variance(network, samples.rows)}
        if kind == "descriptors":
            log["pca_variance"] = pca_variance(samples.rows, network.dim)
        network.standardise(samples.rows)
    except ValueError as error:
        msg = f"method {session.name!r}: {error}; give it more videos or samples"
        raise UsageError(msg) from error
    if log["explained_variance"] < ENOUGH * log.get("pca_variance", 0.0) and session.rank == 0:
        progress.say(
            f"{session.name}: the autoencoder explains {log['explained_variance']:.0%} of the descriptors' variance, "
            f"principal components {log['pca_variance']:.0%}: more pretraining_epochs would help"
        )
    return network, log
