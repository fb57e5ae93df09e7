"""Video local aggregation as a method, with or without a prior of trajectories."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

from torch import nn

from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness_dense_trajectories.methods import IdtFv
from harness_dense_trajectories.settings import Flow
from harness_trajectory_clustering.cards import VIDEO_LA
from harness_trajectory_clustering.clusterings import Clusterings
from harness_trajectory_clustering.objective import LocalAggregation
from harness_trajectory_clustering.rounds import Rounds
from harness_trajectory_clustering.trajectory_prior import TrajectoryPrior
from harness_trajectory_clustering.video_ir import VideoIR

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import MethodCard
    from harness.interfaces import Backbone, Encoder, Session, Split, Stage

TUNING_SCHEDULE = (0.4, 0.8)
"""Drops of the rate in the joint space: after 10 and 20 of 25 epochs."""


@dataclass(kw_only=True)
class VideoLA(VideoIR):
    """Draw videos of one cluster together, against their nearest neighbours.

    A fit begins with instance recognition. Then clusters are those of the memory bank, found anew every epoch, or, with
    the prior, those of the trajectories of each video, found once; a last stage clusters both together every epoch.

    Source: Tokmakov, Hebert and Schmid 2020, sections 3.2 and 3.3.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = VIDEO_LA

    clusters: int | None = None
    """K of the paper; one for 20 videos when None."""
    clusterings: int = 3
    """m of the paper: runs of k-means whose clusters are united."""
    background: int | None = None
    """Background neighbours; a quarter of the videos, at most 4096, when None."""
    warm_up: float | None = None
    """Epochs of instance recognition.

    When None, until the loss of an epoch is below 0.6 ln N, at the latest at half the budget.
    """
    prior: bool = False
    """Take the clusters of the videos' trajectories."""
    tuning: float = 0.1
    """Share of the budget for training in the joint space, after the prior's clusters."""
    components: int = 256
    """Components of the mixture of the trajectories' Fisher vectors."""
    sketch: int = 2000
    """Length of their sketches."""
    form: Literal["paper", "released"] = "paper"
    """Form of the Fisher vectors; the released one has a balanced sketch."""
    boxes: str = ""
    """Name of humans' boxes, as in the method `idt_fv`."""
    flow: Flow = "dis"
    """Optical flow of the trajectories, as there; the paper's is Farneback's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        counts = {
            name: getattr(self, name) for name in ("clusters", "clusterings", "background", "components", "sketch")
        }
        for name, number in counts.items():
            if number is not None and number < 1:
                msg = f"method {self.card.name!r}: {name} must be at least 1, got {number}"
                raise UsageError(msg)
        if not 0 <= self.tuning < 1 or (self.warm_up or 0) < 0:
            msg = (
                f"method {self.card.name!r}: tuning must be in [0, 1) and warm_up at least 0, got {self.tuning} and "
                f"{self.warm_up}"
            )
            raise UsageError(msg)

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> LocalAggregation:
        """Build the network's embedding, the bank, the clusterings and the loss.

        Raises:
            UsageError: when there are fewer videos than clusters or neighbours.
        """
        count = len(train)
        options = self._instance_options(train)
        clusters = max(1, round(count / 20)) if self.clusters is None else self.clusters
        background = max(1, min(count // 4, 4096)) if self.background is None else self.background
        for name, number in (("clusters", clusters), ("background", background)):
            if number > count:
                msg = f"method {self.card.name!r}: {name} must be at most the {count} videos, got {number}"
                raise UsageError(msg)
        clusterings = Clusterings(count, self.clusterings, clusters)
        return LocalAggregation(self._embedding(network, dim), self._bank(train), options, clusterings, background)

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Train a new network of `backbone` until the budget is used up.

        Raises:
            UsageError, DivergedError: as in `GradientMethod.fit`, and when there are fewer videos than clusters or
                neighbours.
            DataError: as in `idt_fv`, with the prior.
        """
        tuning = int(self.tuning * session.budget.frames) if self.prior else 0
        frames = session.budget.frames - tuning
        warm_up = self._warm_up_epochs(self._epochs(backbone, train, session, frames))
        if tuning:
            self._epochs(backbone, train, session, tuning)
        network, loss = self._start(backbone, train, session)
        assert isinstance(loss, LocalAggregation)
        rounds = Rounds(
            loss=loss,
            encode=partial(session.encode, loss.embedding, backbone.inputs, train),
            share=partial(_of_first, session),
            speaks=session.rank == 0,
            seed=session.budget.seed,
            title=session.name,
            warm_up=warm_up,
            by_loss=self.warm_up is None,
            fixed=self.prior,
        )
        if not self.prior:
            self.train(loss, backbone.inputs, train, session, start_epoch=rounds)
            return NetworkEncoder.of(network, backbone)
        trajectories = TrajectoryPrior(len(train), self.sketch)

        def cluster(_: Stage) -> None:
            encoding = IdtFv(
                components=self.components, sketch=self.sketch, form=self.form, boxes=self.boxes, flow=self.flow
            )
            trajectories.fill(encoding, backbone, train, session)
            loss.clusterings.fit(
                trajectories.vectors, session.budget.seed, alone=trajectories.still, share=rounds.share
            )

        def aggregate(stage: Stage) -> None:
            self.train(loss, backbone.inputs, train, session, stage=stage, frames=frames, start_epoch=rounds)

        session.stage("trajectories", cluster, nn.ModuleList([trajectories, loss.clusterings]))
        session.stage("prior", aggregate, loss)
        if tuning:
            _, steps = self.plan(self.view(backbone.inputs), session, frames)
            trajectories.to(session.device)
            method = replace(self, schedule=TUNING_SCHEDULE)
            joint = replace(rounds, fixed=False, beside=trajectories)
            method.train(loss, backbone.inputs, train, session, frames=tuning, after=steps, start_epoch=joint)
        return NetworkEncoder.of(network, backbone)

    def _warm_up_epochs(self, epochs: float) -> float:
        """Epochs of instance recognition at most.

        Raises:
            UsageError: when none would be left.
        """
        if self.warm_up is None:
            return math.floor(epochs / 2)
        if math.ceil(self.warm_up) >= epochs:  # it ends with an epoch
            msg = (
                f"method {self.card.name!r}: expected a warm_up that leaves an epoch of the {epochs:.4g} that the "
                f"budget has, and ends with a whole one, got {self.warm_up:g}"
            )
            raise UsageError(msg)
        return self.warm_up


def _of_first(session: Session, rows: Tensor) -> Tensor:
    """Rows of the first process, in all of them."""
    return session.gather(rows if session.rank == 0 else rows[:0])
