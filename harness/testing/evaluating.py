"""Evaluations of encoders on moving squares, for tests of evaluators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from harness.encoders.frozen import CachedEncoder
from harness.interfaces import Dataset, Encoder, Evaluator
from harness.testing.fixtures import MemorySplit, MovingSquares, TinyBackbone, UninformedEncoder, informed_encoder
from harness.values import Evaluation, Promise, Video, VideoBatch

Change = Callable[[MemorySplit], MemorySplit]


class ChangedSquares(MovingSquares):
    """Moving squares with changed splits.

    Args:
        changes: functions from a split to the changed one, by the split's name.
    """

    def __init__(self, **changes: Change) -> None:
        super().__init__()
        self._changes = changes

    def split(self, name: str) -> MemorySplit:
        """Build the labelled split `name` and apply its change."""
        split = super().split(name)
        return self._changes[name](split) if name in self._changes else split


def keep(condition: Callable[[Video], bool]) -> Change:
    """Make a change that keeps the videos that meet a condition."""

    def change(split: MemorySplit) -> MemorySplit:
        kept = [index for index, video in enumerate(split.videos) if condition(video)]
        videos, frames = tuple(split.videos[i] for i in kept), tuple(split.frames[i] for i in kept)
        return replace(split, videos=videos, frames=frames)

    return change


def relabel(labels: Callable[[Video], Mapping[str, int]]) -> Change:
    """Make a change that gives each video the labels of a function."""
    return lambda split: replace(
        split, videos=tuple(replace(video, labels=dict(labels(video))) for video in split.videos)
    )


class NoisyEncoder:
    """Encoder of vectors that hold a weak signal of the class, in noise."""

    promise: ClassVar[Promise] = Promise(views=(TinyBackbone.inputs.view,), shape=(12,))

    def __init__(self) -> None:
        self.informed, self.noise = informed_encoder(), UninformedEncoder()

    def encode(self, batch: VideoBatch) -> Tensor:
        """Encode clips as (B, 12) float32: 4 values of the direction, 8 of noise."""
        return torch.cat([self.informed.encode(batch) / 3, self.noise.encode(batch)[:, :8]], dim=1)

    def save(self, folder: Path) -> None:
        """Write nothing; there is nothing to store."""


def frozen(encoder: Encoder | None = None) -> CachedEncoder:
    """Freeze an encoder, `informed_encoder()` unless given."""
    return CachedEncoder(encoder or informed_encoder(), key="x")


def evaluate(
    evaluator: Evaluator, encoder: Encoder | None = None, data: Dataset | None = None, seed: int = 0
) -> Evaluation:
    """Evaluate an encoder, `informed_encoder()` on moving squares unless given."""
    return evaluator.evaluate(frozen(encoder), data or MovingSquares(), seed=seed)


def values(evaluation: Evaluation) -> dict[str, float]:
    """Map each metric of an evaluation to its score."""
    return {score.metric: score.value for score in evaluation.scores}


def baselines(evaluation: Evaluation) -> dict[str, float | None]:
    """Map each metric of an evaluation to its baseline."""
    return {score.metric: score.baseline for score in evaluation.scores}


def vectors_and_labels(encoder: Encoder, split: str) -> tuple[Tensor, Tensor]:
    """Encode a split of moving squares: vectors (N, D) float64, and labels (N,) int64."""
    features = frozen(encoder).features(MovingSquares().split(split))
    return features.vectors.double(), features.labels("action")
