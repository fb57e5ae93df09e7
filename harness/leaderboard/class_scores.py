"""Measures of the class scores of a stored run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from harness.functional.class_scores import (
    BINS,
    brier_score,
    expected_calibration_error,
    mean_average_precision,
    negative_log_likelihood,
)

if TYPE_CHECKING:
    from torch import Tensor

    from harness.values import ClassScores, Predictions

TITLES = {
    "mean_average_precision": "mean average precision over classes",
    "expected_calibration_error": f"expected calibration error, {BINS} bins",
    "negative_log_likelihood": "negative log-likelihood, nats",
    "brier_score": "Brier score",
}
"""Titles of the measures, by name."""


def probabilities(scores: ClassScores) -> Tensor | None:
    """Class probabilities (R, N, C) float64; None for margins, which are none.

    Those of a multi-label kind are of each class alone.

    >>> import numpy as np
    >>> from harness.values import ClassScores
    >>> probabilities(ClassScores("logits", np.zeros((1, 1, 4), np.float16))).tolist()
    [[[0.25, 0.25, 0.25, 0.25]]]
    """
    if scores.kind == "margins":
        return None
    values = torch.from_numpy(scores.values).to(torch.float64)
    if scores.several:
        return values.sigmoid()
    if scores.kind == "logits":
        return values.softmax(-1)
    return values / values.sum(-1, keepdim=True)  # which rounding to half precision moved away from 1


def membership(scores: ClassScores, predictions: Predictions) -> Tensor:
    """(N, C) bool: the classes of each video.

    >>> import numpy as np
    >>> from harness.values import ClassScores, Predictions
    >>> scores = ClassScores("logits", np.zeros((1, 2, 3), np.float16))
    >>> membership(scores, Predictions(("a", "b"), ("", ""), (2, 0))).tolist()
    [[False, False, True], [True, False, False]]
    """
    table = torch.zeros(scores.values.shape[1:], dtype=torch.bool)
    for row, labels in zip(table, scores.true_classes(predictions), strict=True):
        row[list(labels)] = True
    return table


def measure_class_scores(scores: ClassScores, predictions: Predictions) -> dict[str, float]:
    """Mean average precision, and calibration of logits and probabilities.

    Means over repeats, by the names of `TITLES`.

    Args:
        scores: of N videos.
        predictions: of the same videos, with their true classes.
    """
    shares = probabilities(scores)
    # By their own scores, where each class ranks videos alone: high log-odds are all 1 as probabilities.
    ranked = torch.from_numpy(scores.values).to(torch.float64) if shares is None or scores.several else shares
    measures = {"mean_average_precision": mean_average_precision(ranked, membership(scores, predictions))}
    if shares is not None and not scores.several:
        true = torch.tensor(predictions.labels)
        measures["expected_calibration_error"] = expected_calibration_error(shares, true)
        measures["negative_log_likelihood"] = negative_log_likelihood(shares, true)
        measures["brier_score"] = brier_score(shares, true)
    return {name: float(each.mean()) for name, each in measures.items()}
