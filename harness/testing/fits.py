"""Method under test: fitted twice, watched, its encoder tried on a few clips."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar, cast

import torch
from torch import Tensor

from harness.cards import Read
from harness.encoders.batches import batches
from harness.execution.unread import unread
from harness.interfaces import Backbone, Dataset, Encoder, Method, Split
from harness.store.choices import Choice
from harness.testing.checking import Subject, expect
from harness.testing.traces import Traces, reseeded, traces
from harness.testing.watching import BlindSplit, CountingSplit, WatchedBackbone
from harness.training.session import TrainingSession
from harness.values import Budget, Inputs, VideoBatch

T = TypeVar("T")

FRAMES = 768
"""The budget of a fit."""

SECONDS = 60.0
"""A fit of so few frames may not take longer."""

BATCH = 7
"""Clips that encoders are tried on; fewer where the test split has fewer."""


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

    def reads(self, part: Read) -> bool:
        """True if the card says that a fit depends on the part."""
        return part in self.tested.card.reads

    def _read(self, part: Read, given: T) -> T:
        """A part of a fit as the harness gives it: a stand-in where it is not read."""
        stand_in: T = unread(part, Choice(name=self.tested.card.name))
        return given if self.reads(part) else stand_in

    @property
    def given(self) -> Backbone:
        """The backbone, or a stand-in for a method that does not read it."""
        return self._read("backbone", self.backbone)

    def fit(self, split: Split, folder: Path | None, budget: Budget = Budget(frames=FRAMES, seed=0)) -> Fitted:  # noqa: B008 - frozen
        """Fit with seed 0, unless the budget says otherwise, watched."""
        backbone, counting = WatchedBackbone(self.backbone), CountingSplit(split)
        session = TrainingSession(budget, name=self.tested.card.name, device=self.device, folder=folder)
        started = time.monotonic()
        with traces() as left:
            encoder = self.tested.fit(
                self._read("backbone", cast("Backbone", backbone)),
                self._read("pretraining", cast("Split", counting)),
                session,
            )
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
        """Second fit without a folder, from other random states.

        Budget and seed are the same where the card says that they are read, and else others.
        """
        budget = Budget(frames=FRAMES if self.reads("budget") else 0, seed=0 if self.reads("seed") else 1)
        with reseeded(12345):
            return self.fit(self.train if self.tested.card.supervised else self.blind, None, budget)

    @property
    def encoder(self) -> Encoder:
        """Encoder of the first fit."""
        return self.fitted.encoder

    @property
    def inputs(self) -> Inputs | Mapping[str, Inputs] | None:
        """Inputs of the encoder's network, which ask for flow or not; None without one."""
        trainable = "trainable" in self.encoder.promise.offers
        return getattr(self.encoder, "inputs", None) if trainable else None

    @cached_property
    def shown(self) -> VideoBatch:
        """Up to 7 clips of the test split as the encoder's view wants them.

        Of whole videos as many frames, and as much of each, as all of them have.
        """
        read: list[VideoBatch] = []
        split, view = self.data.split("test"), self.encoder.promise.view
        for _, batch in batches(split, view, self.inputs, batch_size=BATCH, device=self.device):
            read.append(batch)
            if sum(map(len, read)) >= BATCH:
                break
        smallest = [min(batch.clips.shape[axis] for batch in read) for axis in (2, 3, 4)]
        flow = None if read[0].flow is None else _joined([cast("Tensor", batch.flow) for batch in read], smallest)
        return VideoBatch(_joined([batch.clips for batch in read], smallest), flow)

    @property
    def clips(self) -> Tensor:
        """(B, C, T, H, W) uint8 RGB, the clips of `shown`."""
        return self.shown.clips

    def batch(self, part: slice = slice(None)) -> VideoBatch:
        """A copy of the clips, or of some of them."""
        flow = self.shown.flow
        return VideoBatch(self.clips[part].clone(), None if flow is None else flow[part].clone())

    @cached_property
    def vectors(self) -> Tensor:
        """Vectors of the clips."""
        return self.encoder.encode(self.batch())


def _joined(parts: Sequence[Tensor], smallest: Sequence[int]) -> Tensor:
    """Join clips (B, C, T, H, W) of which each is cut to the smallest T, H and W."""
    frames, height, width = smallest
    return torch.cat([part[:, :, :frames, :height, :width] for part in parts])[:BATCH]


def check_fit(subject: MethodSubject) -> None:
    """A small fit gives an encoder within seconds."""
    encoder = subject.encoder
    expect(
        all(hasattr(encoder, part) for part in ("promise", "encode", "save")),
        expected="fit to return an encoder: promise, encode(batch) and save(folder)",
        got=type(encoder).__name__,
        remedy="return a harness.NetworkEncoder, or a class of your own that has the three",
    )
    promised, kept = subject.tested.promise(subject.given), encoder.promise
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
