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
    from collections.abc import Sequence

    from torch import Tensor

    from harness.values import ClassScores

TITLES = {
    "mean_average_precision": "mean average precision over classes",
    "expected_calibration_error": f"expected calibration error, {BINS} bins",
    "negative_log_likelihood": "negative log-likelihood, nats",
    "brier_score": "Brier score",
}
"""Titles of the measures, by name."""


def probabilities(scores: ClassScores) -> Tensor | None:
    """Class probabilities (R, N, C) float64; None for margins, which are none.

    >>> import numpy as np
    >>> from harness.values import ClassScores
    >>> probabilities(ClassScores("logits", np.zeros((1, 1, 4), np.float16))).tolist()
    [[[0.25, 0.25, 0.25, 0.25]]]
    """
    if scores.kind == "margins":
        return None
    values = torch.from_numpy(scores.values).to(torch.float64)
    if scores.kind == "logits":
        return values.softmax(-1)
    return values / values.sum(-1, keepdim=True)  # which rounding to half precision moved away from 1


def measure_class_scores(scores: ClassScores, labels: Sequence[int]) -> dict[str, float]:
    """Mean average precision, and calibration of logits and probabilities.

    Means over repeats, by the names of `TITLES`.

    Args:
        scores: of N videos.
        labels: their true classes.
    """
    true = torch.tensor(labels)
    shares = probabilities(scores)
    ranked = torch.from_numpy(scores.values).to(torch.float64) if shares is None else shares
    measures = {"mean_average_precision": mean_average_precision(ranked, true)}
    if shares is not None:
        measures["expected_calibration_error"] = expected_calibration_error(shares, true)
        measures["negative_log_likelihood"] = negative_log_likelihood(shares, true)
        measures["brier_score"] = brier_score(shares, true)
    return {name: float(each.mean()) for name, each in measures.items()}
