"""Score predictions, and select hyper-parameters on the training split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

import torch

from harness.errors import DataError
from harness.functional.folds import group_folds
from harness.functional.statistics import STATISTICS
from harness.values import Predictions, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.labelled_features import LabelledFeatures
    from harness.interfaces import Split

NONE: Mapping[str, Tensor] = MappingProxyType({})


def score(
    card: EvaluatorCard,
    test: LabelledFeatures,
    predicted: Tensor,
    guessed: Tensor,
    values: Mapping[str, Tensor] = NONE,
    guessed_values: Mapping[str, Tensor] = NONE,
) -> tuple[tuple[Score, ...], Predictions]:
    """Score predictions by each metric of `card` that has a statistic.

    A score is the mean over repeats.

    A metric whose statistic is `mean` is left out where `values` has none of it.

    Args:
        card: names the statistics.
        test: the videos.
        predicted: (R, N) classes or clusters.
        guessed: (G, N) predictions without any knowledge, which give the baselines.
        values: (R, N) for each metric, the share of each video in it; NaN leaves a video out.
        guessed_values: the same for the guesses.
    """
    scores = []
    for metric in card.metrics:
        if not metric.statistic or (metric.statistic == "mean" and metric.id not in values):
            continue
        statistic = STATISTICS[metric.statistic]
        ours, theirs = predicted, guessed
        if metric.statistic == "mean":
            ours, theirs = values[metric.id], guessed_values[metric.id]
        value, baseline = (float(statistic(test.labels, rows).mean()) for rows in (ours, theirs))
        scores.append(Score(metric.id, value, baseline))
    return tuple(scores), to_predictions(test, predicted, values)


def score_values(
    split: Split, values: Mapping[str, Tensor], guessed: Mapping[str, Tensor]
) -> tuple[tuple[Score, ...], Predictions]:
    """Score metrics that are means of a number of each video.

    Args:
        split: of N videos.
        values: (N,) for each metric; NaN leaves a video out.
        guessed: the same without any knowledge, which gives the baselines.
    """
    predictions = Predictions(
        videos=tuple(video.id for video in split.videos),
        groups=tuple(video.group for video in split.videos),
        labels=first_labels(split),
        values=to_values({name: rows[None] for name, rows in values.items()}),
    )
    scores = (Score(name, float(rows.nanmean()), float(guessed[name].nanmean())) for name, rows in values.items())
    return tuple(scores), predictions


def first_labels(split: Split) -> tuple[int, ...]:
    """Class of each video by the split's first kind of label; 0 where it has none."""
    kind = next(iter(split.classes), None)
    return tuple(0 if kind is None else video.labels[kind] for video in split.videos)


def score_logits(
    card: EvaluatorCard, train: LabelledFeatures, test: LabelledFeatures, logits: Tensor
) -> tuple[tuple[Score, ...], Predictions]:
    """Score a classifier by its logits or probabilities (R, N, C) of the test videos.

    The baselines are train's most frequent class, and for top-5, which is left out where there are no more than 5
    classes, its most frequent five.
    """
    values = {"top5": topk_hits(logits, test.labels, 5)} if len(train.classes) > 5 else {}
    guessed_values = {"top5": majority_hits(train, test, 5)}
    return score(card, test, logits.argmax(2), majority_class(train, test), values, guessed_values)


def score_variants(
    card: EvaluatorCard,
    train: LabelledFeatures,
    test: LabelledFeatures,
    predicted: Tensor,
    variants: Mapping[str, Tensor],
) -> tuple[tuple[Score, ...], Predictions]:
    """Score a classifier, and variants of it by their accuracy.

    The baseline of each is train's most frequent class.

    Args:
        card: names the statistics.
        train: the videos whose classes were learnt.
        test: the N videos whose classes were predicted.
        predicted: (R, N) classes.
        variants: (R, N) classes for each metric of a variant.
    """
    guessed = majority_class(train, test)
    values = {name: (rows == test.labels).float() for name, rows in variants.items()}
    return score(card, test, predicted, guessed, values, dict.fromkeys(values, (guessed == test.labels).float()))


def to_predictions(test: LabelledFeatures, predicted: Tensor, values: Mapping[str, Tensor] = NONE) -> Predictions:
    """Convert predictions (R, N) and metric values (R, N) to tuples, for storage."""
    return Predictions(
        videos=tuple(video.id for video in test.split.videos),
        groups=test.groups,
        labels=tuple(test.labels.tolist()),
        predicted=tuple(tuple(row) for row in predicted.tolist()),
        values=to_values(values),
    )


def to_values(values: Mapping[str, Tensor]) -> dict[str, tuple[tuple[float | None, ...], ...]]:
    """Convert each metric's values (R, N) to tuples, NaN to None."""
    return {
        name: tuple(tuple(None if number != number else number for number in row) for row in rows.tolist())
        for name, rows in values.items()
    }


def topk_hits(scores: Tensor, labels: Tensor, k: int) -> Tensor:
    """1 where the true class has one of the `k` highest scores, else 0.

    (..., N) float32 for scores (..., N, C) and labels (N,).
    """
    best = scores.topk(k, dim=-1).indices
    return (best == labels[:, None]).any(-1).float()


def majority_class(train: LabelledFeatures, test: LabelledFeatures) -> Tensor:
    """(1, N) int64 majority class of train (of equal ones the first)."""
    return train.labels.bincount().argmax().expand(1, len(test))


def majority_hits(train: LabelledFeatures, test: LabelledFeatures, k: int) -> Tensor:
    """(1, N) float32: 1 where the true class is among train's `k` most frequent.

    Of equally frequent ones the first count.
    """
    counts = train.labels.bincount(minlength=len(train.classes))
    frequent = torch.sort(counts, descending=True, stable=True).indices[:k]
    return torch.isin(test.labels, frequent).float()[None]


FOLDS = 3

FitPredict = Callable[["Tensor", "Tensor"], "Tensor"]
"""Positions (N,) to learn from, and (M,) others -> classes (P, M) of P candidates."""


def validation_folds(train: LabelledFeatures) -> Tensor:
    """(N,) int64: the fold of each video of train, no group in two of the 3 folds.

    Raises:
        DataError: when train has one group only, so that nothing can validate.
    """
    return folds_of(train.labels, train.groups)


def folds_of(labels: Tensor, groups: Sequence[str]) -> Tensor:
    """(N,) int64: the fold of each video of train, by `group_folds`.

    Raises:
        DataError: when train has one group only, so that nothing can validate.
    """
    folds = group_folds(labels, groups, FOLDS)
    if not folds.any():
        msg = f"train has one group only ({groups[0]!r}); choosing hyper-parameters needs at least two"
        raise DataError(msg)
    return folds


def validate(train: LabelledFeatures, fit_predict: FitPredict) -> list[float]:
    """Cross-validate candidates on train: top-1 accuracy of each over its videos.

    Raises:
        DataError: as in `validation_folds`.
    """
    folds = validation_folds(train)
    hits: Tensor = torch.zeros(1, dtype=torch.int64, device=folds.device)
    for fold in range(FOLDS):
        rest, held_out = (chosen.nonzero().flatten() for chosen in (folds != fold, folds == fold))
        if len(held_out):
            hits = hits + (fit_predict(rest, held_out) == train.labels[held_out]).sum(1)
    return [count / len(train) for count in hits.tolist()]
