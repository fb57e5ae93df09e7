"""Statistics that a metric can name, for scores and for each bootstrap draw."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from harness.functional import agreement, metrics

if TYPE_CHECKING:
    from harness.cards import Metric
    from harness.values import Predictions


class Statistic(Protocol):
    """One number from the labels and predictions of N videos.

    `labels` (N,) and `predicted` (..., N) are integers; `mean` takes floating-point values in `predicted`'s place.
    Without `weights` the result is (...) float64. With `weights` (B, N), how often each draw of a bootstrap took each
    video, it is (..., B) in one call.
    """

    def __call__(self, labels: Tensor, predicted: Tensor, weights: Tensor | None = None, /) -> Tensor:
        """Compute it; raises ValueError when shapes, types or weights are not as above."""
        ...


STATISTICS: Mapping[str, Statistic] = MappingProxyType(
    {
        "accuracy": metrics.accuracy,
        "mean": metrics.mean,
        "mean_class_accuracy": metrics.mean_class_accuracy,
        "conditional_entropy": metrics.conditional_entropy,
        "normalized_mutual_information": metrics.normalized_mutual_information,
        "purity": metrics.purity,
        "adjusted_mutual_information": agreement.adjusted_mutual_information,
        "adjusted_rand_index": agreement.adjusted_rand_index,
        "matched_accuracy": agreement.matched_accuracy,
        "homogeneity": agreement.homogeneity,
        "completeness": agreement.completeness,
    }
)
"""Statistics by name."""


def of_predictions(predictions: Predictions, metric: Metric, weights: Tensor | None = None) -> Tensor:
    """Compute the statistic of `metric` from stored predictions.

    (R,) float64, or (R, B) with `weights` (B, N).

    Raises:
        ValueError: when the predictions are not what the statistic needs.

    >>> from harness.cards import Metric
    >>> from harness.values import Predictions
    >>> hits = Metric(id="top5", title="Top 5", unit="%", higher_is_better=True, statistic="mean")
    >>> stored = Predictions(("a", "b"), ("g", "g"), (0, 1), ((0, 0),), {"top5": ((1, 0), (1, 1))})
    >>> of_predictions(stored, hits).tolist()
    [0.5, 1.0]
    """
    if metric.statistic == "mean":
        if metric.id not in predictions.values:
            msg = f"the predictions hold no values of {metric.id}"
            raise ValueError(msg)
        rows = [[math.nan if value is None else value for value in row] for row in predictions.values[metric.id]]
        return metrics.mean(torch.tensor(predictions.labels), torch.tensor(rows, dtype=torch.float64), weights)
    return STATISTICS[metric.statistic](torch.tensor(predictions.labels), torch.tensor(predictions.predicted), weights)
