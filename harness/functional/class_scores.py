"""Measures of class scores: average precision, calibration, likelihood."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.ranking import average_precision

BINS = 15
"""Bins of confidence, as Guo et al. take them."""
LEAST = 2.0**-24
"""Least positive number of half precision: less cannot be told from 0 there."""


def mean_average_precision(scores: Tensor, membership: Tensor) -> Tensor:
    """Mean over classes of the average precision of their own videos, in [0, 1].

    Each class ranks all videos by its score; videos of equal scores come at once. Classes of no video do not count.

    Args:
        scores: (..., N, C) floating point.
        membership: (N, C) bool, the classes of each video.

    Returns:
        (...) float64.

    Raises:
        ValueError: when shapes do not fit, no video has a class, or a score is NaN.

    >>> scores = torch.tensor([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2]])
    >>> classes = torch.tensor([[True, False], [False, True], [True, True]])
    >>> round(mean_average_precision(scores, classes).item(), 4)
    1.0
    """
    present = present_classes(scores, membership)
    own = membership.mT[present]
    repeats = scores.reshape(-1, *scores.shape[-2:])
    each = [average_precision(one.mT[present], own).mean() for one in repeats]  # one by one: sorting takes copies
    return torch.stack(each).reshape(scores.shape[:-2])


def expected_calibration_error(probabilities: Tensor, labels: Tensor, bins: int = BINS) -> Tensor:
    """Mean distance between confidence and accuracy, over bins of equal width.

    The confidence of a video is its highest probability. Bin m of M has the videos of confidence in ((m - 1)/M, m/M],
    and counts by their number.

    Args:
        probabilities: (..., N, C), each row a distribution.
        labels: (N,) int64 true classes.
        bins: M.

    Returns:
        (...) float64 in [0, 1].

    Raises:
        ValueError: when shapes do not fit, a label is no class, or a probability is NaN.

    Source: Guo et al., "On calibration of modern neural networks", ICML 2017, equation 3.

    >>> probabilities = torch.tensor([[0.75, 0.25], [0.75, 0.25], [0.0, 1.0]])
    >>> round(expected_calibration_error(probabilities, torch.tensor([0, 1, 1])).item(), 4)
    0.1667
    """
    _expect_scores(probabilities, labels)
    confidence, predicted = probabilities.to(torch.float64).max(-1)
    ends = torch.linspace(0, 1, bins + 1, dtype=torch.float64, device=labels.device)[1:-1]
    gaps = (predicted == labels).to(torch.float64) - confidence
    sums = gaps.new_zeros(*gaps.shape[:-1], bins).scatter_add_(-1, torch.bucketize(confidence, ends), gaps)
    return sums.abs().sum(-1) / len(labels)


def negative_log_likelihood(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean over videos of -log of the probability of the true class, in nats.

    A probability below 2^-24, the least of half precision, counts as that.

    Shapes and errors as in `expected_calibration_error`.

    >>> round(negative_log_likelihood(torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([0, 1])).item(), 4)
    0.3466
    """
    _expect_scores(probabilities, labels)
    index = labels.expand(probabilities.shape[:-1])[..., None]
    true = probabilities.to(torch.float64).gather(-1, index)[..., 0]
    return -true.clamp(min=LEAST).log().mean(-1)


def brier_score(probabilities: Tensor, labels: Tensor) -> Tensor:
    """Mean over videos of the squared distance to the true class, in [0, 2].

    The distance is that of the row of probabilities to 1 at the true class and 0 elsewhere.

    Shapes and errors as in `expected_calibration_error`.

    Source: Brier, "Verification of forecasts expressed in terms of probability", Monthly Weather Review 1950.

    >>> brier_score(torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([0, 1])).item()
    0.25
    """
    _expect_scores(probabilities, labels)
    true = F.one_hot(labels, probabilities.shape[-1])
    return (probabilities.to(torch.float64) - true).square().sum(-1).mean(-1)


def present_classes(scores: Tensor, membership: Tensor) -> Tensor:
    """(C,) bool: the classes that a video has.

    Raises:
        ValueError: when shapes are not (..., N, C) and (N, C), `membership` is not bool, or no video has a class.
    """
    if scores.shape[-2:] != membership.shape or membership.dtype != torch.bool or not bool(membership.any()):
        shapes = f"{tuple(scores.shape)} and {tuple(membership.shape)} {membership.dtype}"
        msg = f"scores must be (..., N, C) and membership (N, C) bool, of a video with a class at least, got {shapes}"
        raise ValueError(msg)
    return membership.any(0)


def _expect_scores(scores: Tensor, labels: Tensor) -> None:
    if scores.ndim < 2 or labels.shape != scores.shape[-2:-1] or not scores.numel() or labels.dtype != torch.int64:
        shapes = f"{tuple(scores.shape)} and {tuple(labels.shape)} {labels.dtype}"
        msg = f"scores must be (..., N, C) and labels (N,) int64, got {shapes}"
        raise ValueError(msg)
    if not 0 <= int(labels.min()) <= int(labels.max()) < scores.shape[-1]:
        msg = f"labels must be classes from 0 to {scores.shape[-1] - 1}, got {int(labels.min())} to {int(labels.max())}"
        raise ValueError(msg)
    if bool(scores.isnan().any()):
        msg = "scores must not be NaN"
        raise ValueError(msg)
