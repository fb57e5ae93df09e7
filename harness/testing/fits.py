"""Method under test: fitted twice, watched, its encoder tried on a few clips."""

from __future__ import annotations

import copy
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from harness.interfaces import Backbone, Dataset, Encoder, Method, Split
from harness.testing.checking import Subject, expect
from harness.testing.traces import Traces, reseeded, traces
from harness.testing.watching import BlindSplit, CountingSplit, WatchedBackbone
from harness.training.session import TrainingSession
from harness.values import Budget, VideoBatch
from harness.video.loader import clips

FRAMES = 768
"""The budget of a fit."""

SECONDS = 60.0
"""A fit of so few frames may not take longer."""

BATCH = 7
"""Clips that encoders are tried on."""


@dataclass(frozen=True)
class Fitted:
    """The outcome of a fit, and what was seen of it until it ended."""

    encoder: Encoder
    seconds: float
    backbone: WatchedBackbone
    frames_shown: int
    largest_batch: int
    frames_read: int
    left: Traces


@dataclass(eq=False)
class MethodSubject(Subject[Method]):
    """A method under test."""

    backbone: Backbone
    data: Dataset
    device: str = "cpu"
    fresh: Method = field(init=False)
    """Copy that was never fitted, as in a process that loads an encoder."""

    def __post_init__(self) -> None:
        self.fresh = copy.deepcopy(self.tested)

    @cached_property
    def train(self) -> Split:
        """Training split as the method may see it."""
        split = self.data.split("train")
        return split if self.tested.card.supervised else split.unlabelled()

    def fit(self, split: Split, folder: Path | None) -> Fitted:
        """Fit with seed 0, watched."""
        backbone, counting = WatchedBackbone(self.backbone), CountingSplit(split)
        session = TrainingSession(
            Budget(frames=FRAMES, seed=0), name=self.tested.card.name, device=self.device, folder=folder
        )
        started = time.monotonic()
        with traces() as left:
            encoder = self.tested.fit(backbone, counting, session)
        return Fitted(
            encoder,
            seconds=time.monotonic() - started,
            backbone=backbone,
            frames_shown=backbone.frames_shown,
            largest_batch=backbone.largest_batch,
            frames_read=counting.frames_read,
            left=left,
        )

    @cached_property
    def fitted(self) -> Fitted:
        """A fit as the harness makes it: with a folder for checkpoints."""
        with tempfile.TemporaryDirectory() as folder:
            return self.fit(self.train, Path(folder))

    @cached_property
    def blind(self) -> BlindSplit:
        """The training split for a method that must not look at labels."""
        return BlindSplit(self.data.split("train"))

    @cached_property
    def again(self) -> Fitted:
        """Second fit with the same seed, without a folder, from other random states."""
        with reseeded(12345):
            return self.fit(self.train if self.tested.card.supervised else self.blind, None)

    @property
    def encoder(self) -> Encoder:
        """Encoder of the first fit."""
        return self.fitted.encoder

    @cached_property
    def clips(self) -> Tensor:
        """(7, C, T, H, W) uint8 RGB of the test split, as the encoder's view wants them."""
        batches: list[Tensor] = []
        for _, batch in clips(self.data.split("test"), self.encoder.promise.view, batch_size=BATCH, device=self.device):
            batches.append(batch)
            if sum(map(len, batches)) >= BATCH:
                break
        return torch.cat(batches)[:BATCH]

    @cached_property
    def vectors(self) -> Tensor:
        """Vectors of the clips."""
        return self.encoder.encode(VideoBatch(self.clips.clone()))


def check_fit(subject: MethodSubject) -> None:
    """A small fit gives an encoder within seconds."""
    encoder = subject.encoder
    expect(
        all(hasattr(encoder, part) for part in ("promise", "encode", "save")),
        expected="fit to return an encoder: promise, encode(batch) and save(folder)",
        got=type(encoder).__name__,
        remedy="return a harness.NetworkEncoder, or a class of your own that has the three",
    )
    promised, kept = subject.tested.promise(subject.backbone), encoder.promise
    expect(
        promised.kept_by(kept) and None not in kept.shape,
        expected=f"the encoder that promise(backbone) says before the fit: {promised}",
        got=kept,
        remedy="return harness.NetworkEncoder.of(network, backbone), or promise what fit gives",
    )
    expect(
        subject.fitted.seconds <= SECONDS,
        expected=f"a fit of {FRAMES} frames within {SECONDS:.0f} seconds",
        got=f"{subject.fitted.seconds:.0f} seconds",
        remedy="use less where the budget is small: session.budget.frames is all that a fit may show the network",
    )
