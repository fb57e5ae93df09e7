"""A method under test: fitted twice, watched, and what its encoder makes of a few clips."""

from __future__ import annotations

import copy
import tempfile
import time
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from harness.cards import View
from harness.interfaces import Backbone, Budget, Dataset, Encoder, Method, Split, VideoBatch
from harness.testing.checking import Subject, expect
from harness.testing.traces import Traces, reseeded, traces
from harness.testing.watching import BlindSplit, CountingSplit, WatchedBackbone
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
    """A copy that was never fitted, as there is one when an encoder is loaded in another process."""

    def __post_init__(self) -> None:
        self.fresh = copy.deepcopy(self.tested)

    @cached_property
    def train(self) -> Split:
        """What the method may see of the training split."""
        split = self.data.split("train")
        return split if self.tested.card.supervised else split.unlabelled()

    def fit(self, split: Split, folder: Path | None) -> Fitted:
        """Fit with seed 0, watched."""
        backbone, counting = WatchedBackbone(self.backbone), CountingSplit(split)
        budget = Budget(frames=FRAMES, seed=0, device=self.device, folder=folder)
        started = time.monotonic()
        with traces() as left:
            encoder = self.tested.fit(backbone, counting, budget)
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
        """A second fit with the same seed, without a folder and from other global random states."""
        with reseeded(12345):
            return self.fit(self.train if self.tested.card.supervised else self.blind, None)

    @property
    def encoder(self) -> Encoder:
        """Of the first fit."""
        return self.fitted.encoder

    @cached_property
    def clips(self) -> Tensor:
        """(7, C, T, H, W) uint8 RGB of the test split, as the encoder's view wants them."""
        found: list[Tensor] = []
        for _, batch in clips(self.data.split("test"), self.encoder.view, batch_size=BATCH, device=self.device):
            found.append(batch)
            if sum(map(len, found)) >= BATCH:
                break
        return torch.cat(found)[:BATCH]

    @cached_property
    def vectors(self) -> Tensor:
        """Of the clips."""
        return self.encoder.encode(VideoBatch(self.clips.clone()))


def check_fit(subject: MethodSubject) -> None:
    """A small fit gives an encoder within seconds."""
    encoder = subject.encoder
    expect(
        isinstance(encoder, Encoder),
        expected="fit to return an encoder: view, dim and encode(batch)",
        got=type(encoder).__name__,
        remedy="return a harness.NetworkEncoder, or a class of your own that has the three",
    )
    expect(
        isinstance(encoder.view, View) and isinstance(encoder.dim, int) and encoder.dim >= 1,
        expected="its view to be a View and its dim a positive int",
        got=f"{encoder.view!r} and {encoder.dim!r}",
        remedy="the harness prepares clips by the one and checks vectors by the other",
    )
    expect(
        subject.fitted.seconds <= SECONDS,
        expected=f"a fit of {FRAMES} frames within {SECONDS:.0f} seconds",
        got=f"{subject.fitted.seconds:.0f} seconds",
        remedy="use less where the budget is small: budget.frames is all that a fit may show the network",
    )
