"""Video instance recognition and local aggregation as methods."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor, nn

from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos
from harness.training.gradient_method import GradientMethod
from harness.values import Batch
from harness.video.loader import read_clips
from harness.video.sampling import random_clips
from harness.video.transforms import colour_jitter, random_flip
from harness_dense_trajectories.methods import IdtFv
from harness_trajectory_clustering.bank import MemoryBank
from harness_trajectory_clustering.cards import VIDEO_IR, VIDEO_LA
from harness_trajectory_clustering.clusterings import Clusterings
from harness_trajectory_clustering.losses import Normaliser
from harness_trajectory_clustering.objective import (
    Embedding,
    InstanceLoss,
    InstanceOptions,
    InstanceRecognition,
    LocalAggregation,
)
from harness_trajectory_clustering.rounds import Rounds
from harness_trajectory_clustering.trajectory_prior import TrajectoryPrior

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.cards import MethodCard, View
    from harness.interfaces import Backbone, Encoder, Session, Split, Stage

EXACT = 16_384
"""Most videos of an exact softmax; at fewer, noise-contrastive gradients mislead."""
TUNING_SCHEDULE = (0.4, 0.8)
"""Drops of the rate in the joint space: after 10 and 20 of 25 epochs."""


@dataclass(kw_only=True)
class VideoIR(GradientMethod):
    """Tell each video from all others by a softmax over a memory bank.

    One example is a clip of the backbone's view from a random place of a video; every video is shown once an epoch.
    Clips are cropped at random, mirrored half of the time and jittered in colour.

    Source: Tokmakov, Hebert and Schmid 2020, section 3.1; augmentation and optimiser of their released code.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[MethodCard] = VIDEO_IR

    embedding: int = 128
    """Length of the vectors that are compared."""
    embedding_norm: bool = True
    """BN before the embedding layer, which small networks need; the paper has none."""
    temperature: float = 0.07
    """tau of the paper."""
    bank_momentum: float = 0.5
    objective: InstanceLoss | Literal["auto"] = "auto"
    """Loss of instances; `auto` is the exact softmax up to 16,384 videos, else `nce`."""
    negatives: int = 4096
    """Noise entries of a video."""
    exclude_own: bool = True
    """Leave a video's own entry out of the noise; the released code does not."""
    z: Normaliser = "first_batch"
    """Normaliser of noise-contrastive estimation."""
    colour: float = 0.4
    """Strength of a jitter of each clip's colours, to 0.5; a fifth become grey."""
    frame_colour: float = 0.0
    """Strength of a jitter of each frame's colours, to 0.5; not in the paper.

    It keeps palettes from telling videos apart.
    """
    crop: Literal["random", "multi_scale"] = "random"
    """Crops at one scale, or at five as in the paper, which lose small people."""
    batch_size: int = 32
    optimizer: Literal["sgd", "adamw"] = "adamw"
    lr: float = 1e-3
    weight_decay: float = 0.05
    schedule: Literal["cosine", "step"] | tuple[float, ...] = (0.8, 0.95)

    def __post_init__(self) -> None:
        if min(self.embedding, self.negatives) < 1 or self.temperature <= 0 or not 0 <= self.bank_momentum < 1:
            msg = (
                f"method {self.card.name!r}: embedding and negatives must be at least 1, temperature positive and "
                f"bank_momentum in [0, 1), got {self.embedding}, {self.negatives}, {self.temperature}, "
                f"{self.bank_momentum}"
            )
            raise UsageError(msg)

    def frames_per_example(self, view: View) -> int:
        """Frames of a clip."""
        return view.frames

    def batch(self, train: Split, view: View, size: int, step: int, session: Session) -> Batch:
        """Read this process's part of a step: clips, and the videos that they are of."""
        seed, rank, world = session.budget.seed, session.rank, session.world
        videos = epoch_videos(len(train), size, step, seed=seed, rank=rank, world=world)
        generator = torch.Generator().manual_seed(derive_seed(seed, step, rank))
        return Batch(self._clips(train, view, videos, generator), videos)

    def _clips(self, train: Split, view: View, videos: Tensor, generator: torch.Generator) -> Tensor:
        n_frames = torch.tensor([train.videos[index].frames for index in videos.tolist()])
        frames = random_clips(n_frames, view.frames, view.step, generator)
        clips = read_clips(train, videos, frames, size=view.size, generator=generator, crop=self.crop)
        clips = random_flip(clips, generator)
        if self.colour:
            clips = colour_jitter(clips, self.colour, generator)
        if self.frame_colour:
            each = clips.transpose(1, 2).flatten(0, 1)[:, :, None]  # a frame as a clip
            each = colour_jitter(each, self.frame_colour, generator)
            clips = each.reshape(len(clips), view.frames, *clips.shape[1:2], *clips.shape[3:]).transpose(1, 2)
        return clips

    def build_loss(self, network: nn.Module, dim: int, train: Split) -> InstanceRecognition:
        """Build the network's embedding, the bank and the loss.

        Raises:
            UsageError: when there are too few videos.
        """
        return InstanceRecognition(self._embedding(network, dim), self._bank(train), self._instance_options(train))

    def fit(self, backbone: Backbone, train: Split, session: Session) -> Encoder:
        """Train a new network of `backbone` until the budget is used up.

        Raises:
            UsageError, DivergedError: as in `GradientMethod.fit`, and when there are too few videos.
        """
        network, loss = self._start(backbone, train, session)
        self.train(loss, backbone.inputs, train, session)
        return NetworkEncoder.of(network, backbone)

    def start_epoch(self, loss: nn.Module, train: Split, epoch: int) -> Mapping[str, float]:
        """Give the curves of the epoch before."""
        assert isinstance(loss, InstanceRecognition)
        return loss.curves()

    def _start(self, backbone: Backbone, train: Split, session: Session) -> tuple[nn.Module, InstanceRecognition]:
        """Build the network and its loss."""
        network = backbone.build(seed=session.budget.seed)
        with seeded(derive_seed(session.budget.seed)):
            loss = self.build_loss(network, backbone.card.dim, train)
        loss.gather = session.gather
        return network, loss

    def _embedding(self, network: nn.Module, dim: int) -> Embedding:
        return Embedding(network, dim, self.embedding, norm=self.embedding_norm)

    def _bank(self, train: Split) -> MemoryBank:
        return MemoryBank(len(train), self.embedding, self.bank_momentum)

    def _instance_options(self, train: Split) -> InstanceOptions:
        if len(train) < 2:
            msg = f"method {self.card.name!r} tells videos apart; expected at least 2, got {len(train)}"
            raise UsageError(msg)
        auto: InstanceLoss = "softmax" if len(train) <= EXACT else "nce"
        return InstanceOptions(
            loss=auto if self.objective == "auto" else self.objective,
            temperature=self.temperature,
            negatives=self.negatives,
            exclude_own=self.exclude_own,
            z=self.z,
        )


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
    """Form of the Fisher vectors."""
    boxes: str = ""
    """Name of humans' boxes, as in the method `idt_fv`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        numbers = [self.clusterings, 1 if self.clusters is None else self.clusters, self.background or 1]
        if min(numbers) < 1 or self.background == 0 or not 0 <= self.tuning < 1 or (self.warm_up or 0) < 0:
            msg = (
                f"method {self.card.name!r}: clusters, clusterings and background must be at least 1, tuning in [0, 1) "
                f"and warm_up at least 0, got {self.clusters}, {self.clusterings}, {self.background}, {self.tuning}, "
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
        network, loss = self._start(backbone, train, session)
        assert isinstance(loss, LocalAggregation)
        if not self.prior:
            self._aggregate(loss, backbone, train, session, session.budget.frames)
            return NetworkEncoder.of(network, backbone)
        trajectories = TrajectoryPrior(len(train), self.sketch)

        def cluster(_: Stage) -> None:
            encoding = IdtFv(components=self.components, sketch=self.sketch, form=self.form, boxes=self.boxes)
            trajectories.fill(encoding, backbone, train, session)
            loss.clusterings.fit(trajectories.vectors, session.budget.seed, partial(_of_first, session))

        session.stage("trajectories", cluster, nn.ModuleList([trajectories, loss.clusterings]))
        tuning = int(self.tuning * session.budget.frames)
        frames = session.budget.frames - tuning

        def aggregate(stage: Stage) -> None:
            self._aggregate(loss, backbone, train, session, frames, stage=stage, fixed=True)

        session.stage("prior", aggregate, loss)
        if tuning:
            beside = trajectories.vectors.to(session.device)
            replace(self, schedule=TUNING_SCHEDULE)._aggregate(loss, backbone, train, session, tuning, beside=beside)
        return NetworkEncoder.of(network, backbone)

    def _aggregate(
        self,
        loss: LocalAggregation,
        backbone: Backbone,
        train: Split,
        session: Session,
        frames: int,
        *,
        stage: Stage | None = None,
        fixed: bool = False,
        beside: Tensor | None = None,
    ) -> None:
        """Train for `frames` of the budget; the rest as in `Rounds`."""
        epochs = frames / (len(train) * self.frames_per_example(self.view(backbone.inputs)))
        rounds = Rounds(
            loss=loss,
            encode=partial(session.encode, loss.embedding, backbone.inputs, train),
            share=partial(_of_first, session),
            seed=session.budget.seed,
            title=session.name,
            warm_up=epochs / 2 if self.warm_up is None else self.warm_up,
            by_loss=self.warm_up is None,
            fixed=fixed,
            beside=beside,
        )
        self.train(loss, backbone.inputs, train, session, stage=stage, frames=frames, start_epoch=rounds)


def _of_first(session: Session, rows: Tensor) -> Tensor:
    """Rows of the first process, in all of them."""
    return session.gather(rows if session.rank == 0 else rows[:0])
