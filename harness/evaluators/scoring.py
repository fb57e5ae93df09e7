"""Score predictions, and select hyper-parameters on the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from harness.errors import DataError
from harness.functional.folds import group_folds
from harness.functional.statistics import STATISTICS
from harness.interfaces import Predictions, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.labelled_features import Labelled
    from harness.system import progress

NONE: Mapping[str, Tensor] = MappingProxyType({})


def scored(
    card: EvaluatorCard,
    test: Labelled,
    predicted: Tensor,
    guessed: Tensor,
    values: Mapping[str, Tensor] = NONE,
    guessed_values: Mapping[str, Tensor] = NONE,
) -> tuple[tuple[Score, ...], Predictions]:
    """The metrics of `card` that have a statistic, each the mean over repeats, and what they were computed from.

    A metric whose statistic is `mean` is left out where `values` has none of it.

    Args:
        card: names the statistics.
        test: the videos.
        predicted: (R, N) classes or clusters.
        guessed: (G, N) what somebody who knows nothing would predict: gives the baselines.
        values: (R, N) of a metric, what each video adds to it; NaN leaves a video out.
        guessed_values: the same for the guesses.
    """
    found = []
    for metric in card.metrics:
        if not metric.statistic or (metric.statistic == "mean" and metric.id not in values):
            continue
        statistic = STATISTICS[metric.statistic]
        ours, theirs = predicted, guessed
        if metric.statistic == "mean":
            ours, theirs = values[metric.id], guessed_values[metric.id]
        value, baseline = (float(statistic(test.labels, rows).mean()) for rows in (ours, theirs))
        found.append(Score(metric.id, value, baseline))
    return tuple(found), stored(test, predicted, values)


def stored(test: Labelled, predicted: Tensor, values: Mapping[str, Tensor] = NONE) -> Predictions:
    """What was predicted, (R, N), and the values of metrics, beside the videos they are of."""
    return Predictions(
        videos=tuple(video.id for video in test.split.videos),
        groups=test.groups,
        labels=tuple(test.labels.tolist()),
        predicted=tuple(tuple(row) for row in predicted.tolist()),
        values=stored_values(values),
    )


def stored_values(values: Mapping[str, Tensor]) -> dict[str, tuple[tuple[float | None, ...], ...]]:
    """For each metric what every video adds to it, (R, N), with None in the place of NaN."""
    return {
        name: tuple(tuple(None if number != number else number for number in row) for row in rows.tolist())
        for name, rows in values.items()
    }


def hits(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """(..., N) float32: 1 where the true class is among the `k` highest scores (..., N, C), else 0."""
    best = scores.topk(k, dim=-1).indices
    return (best == labels[:, None]).any(-1).float()


def majority(train: Labelled, test: Labelled) -> Tensor:
    """(1, N) the most frequent class of train (of equal ones the first) as the guess for every test video."""
    return train.labels.bincount().argmax().expand(1, len(test))


def majority_hits(train: Labelled, test: Labelled, k: int) -> Tensor:
    """(1, N) float32: 1 where the true class is one of train's `k` most frequent (of equal ones the first)."""
    counts = train.labels.bincount(minlength=len(train.classes))
    frequent = torch.sort(counts, descending=True, stable=True).indices[:k]
    return torch.isin(test.labels, frequent).float()[None]


FOLDS = 3

Fitted = Callable[["Tensor", "Tensor", "Tensor"], "Tensor"]
"""Points (N, D), labels (N,) and queries (M, D) -> (P, M) classes predicted with each of P candidates."""


def validated(train: Labelled, fitted: Fitted, bar: progress.Bar) -> list[float]:
    """Top-1 accuracy of each candidate over all of train, each video predicted by the fold that did not see it.

    Raises:
        DataError: when train has one group only, so that nothing can validate.
    """
    folds = group_folds(train.labels, train.groups, FOLDS)
    if not folds.any():
        msg = f"train has one group only ({train.groups[0]!r}); choosing hyper-parameters needs at least two"
        raise DataError(msg)
    hits: Tensor = torch.zeros(1, dtype=torch.int64, device=folds.device)
    for fold in range(FOLDS):
        held_out = folds == fold
        if held_out.any():
            predicted = fitted(train.vectors[~held_out], train.labels[~held_out], train.vectors[held_out])
            hits = hits + (predicted == train.labels[held_out]).sum(1)
        bar.advance()
    return [count / len(train) for count in hits.tolist()]
