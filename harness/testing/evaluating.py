"""Evaluation of encoders on moving squares, for tests of evaluators."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from harness.encoders.frozen import FrozenEncoder
from harness.interfaces import Dataset, Encoder, Evaluation, Evaluator, Video, VideoBatch
from harness.testing.fixtures import MemorySplit, MovingSquares, TinyBackbone, UninformedEncoder, informed_encoder

Change = Callable[[MemorySplit], MemorySplit]


class ChangedSquares(MovingSquares):
    """Moving squares with changed splits.

    Args:
        changes: the change of the split of each name.
    """

    def __init__(self, **changes: Change) -> None:
        super().__init__()
        self._changes = changes

    def split(self, name: str) -> MemorySplit:
        """Build the labelled split `name`, changed."""
        split = super().split(name)
        return self._changes[name](split) if name in self._changes else split


def keep(condition: Callable[[Video], bool]) -> Change:
    """Change a split to the videos that meet a condition."""

    def change(split: MemorySplit) -> MemorySplit:
        kept = [index for index, video in enumerate(split.videos) if condition(video)]
        videos, frames = tuple(split.videos[i] for i in kept), tuple(split.frames[i] for i in kept)
        return replace(split, videos=videos, frames=frames)

    return change


def relabel(labels: Callable[[Video], Mapping[str, int]]) -> Change:
    """Change the labels of a split's videos."""
    return lambda split: replace(
        split, videos=tuple(replace(video, labels=dict(labels(video))) for video in split.videos)
    )


class NoisyEncoder:
    """Encoder whose vectors know something of the class, and are not easy."""

    view = TinyBackbone.card.view
    dim = 12

    def __init__(self) -> None:
        self.informed, self.noise = informed_encoder(), UninformedEncoder()

    def encode(self, batch: VideoBatch) -> Tensor:
        """(B, 12) float32: the direction, then noise."""
        return torch.cat([self.informed.encode(batch) / 3, self.noise.encode(batch)[:, :8]], dim=1)


def frozen(encoder: Encoder | None = None) -> FrozenEncoder:
    """Freeze an encoder, by default one that knows the classes."""
    return FrozenEncoder(encoder or informed_encoder(), key="x")


def evaluate(
    evaluator: Evaluator, encoder: Encoder | None = None, data: Dataset | None = None, seed: int = 0
) -> Evaluation:
    """Evaluate an encoder, by default one that knows the classes of moving squares."""
    return evaluator.evaluate(frozen(encoder), data or MovingSquares(), seed=seed)


def values(evaluation: Evaluation) -> dict[str, float]:
    """Score of each metric."""
    return {score.metric: score.value for score in evaluation.scores}


def baselines(evaluation: Evaluation) -> dict[str, float | None]:
    """Baseline of each metric."""
    return {score.metric: score.baseline for score in evaluation.scores}


def vectors_and_labels(encoder: Encoder, split: str) -> tuple[Tensor, Tensor]:
    """Encode a split of moving squares: vectors (N, D) float64, and labels (N,) int64."""
    features = frozen(encoder).features(MovingSquares().split(split))
    return features.vectors.double(), features.labels("action")
