"""Video instance recognition as a method."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import nn

from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.system.seeding import derive_seed, seeded
from harness.training.epochs import epoch_videos
from harness.training.gradient_method import GradientMethod
from harness.values import Batch
from harness.video.loader import read_clips
from harness.video.sampling import random_clips
from harness.video.transforms import colour_jitter, random_flip
from harness_trajectory_clustering.bank import MemoryBank
from harness_trajectory_clustering.cards import VIDEO_IR
from harness_trajectory_clustering.losses import Normaliser
from harness_trajectory_clustering.objective import (
    Embedding,
    InstanceLoss,
    InstanceOptions,
    InstanceRecognition,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from harness.cards import MethodCard, View
    from harness.interfaces import Backbone, Encoder, Session, Split

EXACT = 16_384
"""Most videos of an exact softmax; at fewer, noise-contrastive gradients mislead."""


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
    """Leave a video's own entry out of the noise of `nce`; the released code does not."""
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
        if not all(0 <= strength <= 0.5 for strength in (self.colour, self.frame_colour)):
            got = f"{self.colour} and {self.frame_colour}"
            msg = f"method {self.card.name!r}: colour and frame_colour must be from 0 to 0.5, got {got}"
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
        self._epochs(backbone, train, session)
        network, loss = self._start(backbone, train, session)
        self.train(loss, backbone.inputs, train, session)
        return NetworkEncoder.of(network, backbone)

    def start_epoch(self, loss: nn.Module, train: Split, epoch: int) -> Mapping[str, float]:
        """Give the curves of the epoch before."""
        assert isinstance(loss, InstanceRecognition)
        return loss.curves()

    def _epochs(self, backbone: Backbone, train: Split, session: Session, frames: int | None = None) -> float:
        """Epochs of the training loop in a part of the budget.

        Raises:
            UsageError: when the budget does not suffice for a step.
        """
        size, steps = self.plan(self.view(backbone.inputs), session, frames)
        if self.embedding_norm and size < 2:
            msg = (
                f"method {session.name!r}: expected at least 2 clips in a step of a process, for BN before the "
                "embedding layer, got 1: give a larger batch_size or more frames, or embedding_norm: false"
            )
            raise UsageError(msg)
        return steps / math.ceil(len(train) / (size * session.world))

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
