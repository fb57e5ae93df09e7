"""Best accuracy and F1 over the thresholds of a score."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from harness.functional.ranking import expect_rankings, tie_ends


class BestThresholds(NamedTuple):
    """Highest accuracy and F1 of calls by a threshold, (...) float64 each."""

    accuracy: Tensor
    accuracy_threshold: Tensor
    f1: Tensor
    f1_threshold: Tensor


def best_thresholds(scores: Tensor, positive: Tensor) -> BestThresholds:
    """Find the thresholds at which calls are most accurate, and of the highest F1.

    Items with at least the score of a threshold are called positive; thresholds are the scores themselves, so that one
    item or more is. Of equally good thresholds the highest is given.

    Args:
        scores: (..., N) floating point.
        positive: (..., N) bool.

    Raises:
        ValueError: as in `harness.functional.ranking.expect_rankings`.

    >>> best = best_thresholds(torch.tensor([0.9, 0.8, 0.4, 0.1]), torch.tensor([True, False, True, False]))
    >>> [round(value.item(), 2) for value in best]
    [0.75, 0.9, 0.8, 0.4]
    """
    expect_rankings(scores, positive)
    ordered, order = scores.sort(dim=-1, descending=True)
    hits = positive.gather(-1, order)
    ends = tie_ends(ordered)
    found = hits.cumsum(-1).gather(-1, ends).to(torch.float64)
    called = ends + 1
    positives = hits.sum(-1, keepdim=True)
    size = scores.shape[-1]
    accuracy, at_accuracy = ((2 * found - called + size - positives) / size).max(-1, keepdim=True)
    f1, at_f1 = (2 * found / (called + positives)).max(-1, keepdim=True)
    parts = (accuracy, ordered.gather(-1, at_accuracy), f1, ordered.gather(-1, at_f1))
    return BestThresholds(*(part.squeeze(-1).to(torch.float64) for part in parts))
