"""Scores from predictions, by the statistics that a card's metrics name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.functional.metrics import STATISTICS
from harness.interfaces import Predictions, Score

if TYPE_CHECKING:
    from torch import Tensor

    from harness.cards import EvaluatorCard
    from harness.evaluators.labelled import Labelled


def scores(card: EvaluatorCard, labels: Tensor, predicted: Tensor, guessed: Tensor) -> tuple[Score, ...]:
    """The metrics of `card` that have a statistic, each the mean over repeats.

    Args:
        card: names the statistics.
        labels: (N,) true classes.
        predicted: (R, N) what the protocol predicted.
        guessed: (G, N) what somebody who knows nothing would predict: gives the baselines.
    """
    found = []
    for metric in card.metrics:
        if metric.statistic:
            statistic = STATISTICS[metric.statistic]
            value, baseline = (float(statistic(labels, rows).mean()) for rows in (predicted, guessed))
            found.append(Score(metric.id, value, baseline))
    return tuple(found)


def majority(train: Labelled, test: Labelled) -> Tensor:
    """(1, N) the most frequent class of train (of equal ones the first) as the guess for every test video."""
    return train.labels.bincount().argmax().expand(1, len(test))


def predictions(test: Labelled, predicted: Tensor) -> Predictions:
    """What was predicted, (R, N), beside the videos it was predicted for."""
    return Predictions(
        videos=tuple(video.id for video in test.split.videos),
        groups=test.groups,
        labels=tuple(test.labels.tolist()),
        predicted=tuple(tuple(row) for row in predicted.tolist()),
    )
