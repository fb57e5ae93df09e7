"""Measures of regression: share of variance explained, rank correlation."""

from __future__ import annotations

import torch
from torch import Tensor


def r_squared(targets: Tensor, predicted: Tensor) -> Tensor:
    """Coefficient of determination, at most 1: 1 - sum (y - p)^2 / sum (y - mean y)^2.

    0 for predictions of the targets' own mean, negative for worse ones.

    Args:
        targets: (N,) y, not all equal.
        predicted: (..., N) p.

    Returns:
        (...) float64.

    Raises:
        ValueError: when shapes do not fit, or all targets are equal.

    >>> round(r_squared(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0])).item(), 12)
    0.5
    """
    _check(targets, predicted)
    wanted = targets.to(torch.float64)
    total = (wanted - wanted.mean()).square().sum()
    if not bool(total > 0):
        msg = "targets must not all be equal: there is no variance to explain"
        raise ValueError(msg)
    return 1 - (wanted - predicted).square().sum(-1) / total


def r_squared_without(targets: Tensor, predicted: Tensor) -> Tensor:
    """(N,) float64 `r_squared` of the others, for each of N videos left out.

    NaN where the others' targets are all equal. Arguments (N,) and errors as there.

    >>> r_squared_without(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 4.0])).tolist()
    [-1.0, 0.5, 1.0]
    """
    _check(targets, predicted)
    wanted, count = targets.to(torch.float64), len(targets)
    errors = (wanted - predicted).square()
    apart = (wanted - wanted.mean()).square()
    # Without a video the mean moves, so that the squares about it lose more than the video's own.
    total = apart.sum() - apart * count / max(count - 1, 1)
    known = total > 1e-12 * apart.sum()
    return torch.where(known, 1 - (errors.sum() - errors) / total.where(known, 1), torch.nan)


def spearman(one: Tensor, other: Tensor) -> Tensor:
    """Spearman's rank correlation of two rows (N,), a float64 scalar in [-1, 1].

    Equal values have the mean of their ranks. 0 where all values of a row are equal.

    Raises:
        ValueError: when shapes do not fit.

    >>> spearman(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([10.0, 30.0, 20.0])).item()
    0.5
    """
    _check(one, other)
    ranks = [_ranks(row) - (len(row) - 1) / 2 for row in (one, other)]
    squares = (ranks[0] @ ranks[0]) * (ranks[1] @ ranks[1])
    return ranks[0] @ ranks[1] / squares.where(squares > 0, 1).sqrt()


def _ranks(values: Tensor) -> Tensor:
    """(N,) float64 ranks from 0, the mean one for equal values."""
    _, index, counts = torch.unique(values, return_inverse=True, return_counts=True)
    ranks: Tensor = counts.cumsum(0) - (counts + 1).to(torch.float64) / 2
    return ranks[index]


def _check(targets: Tensor, predicted: Tensor) -> None:
    if targets.ndim != 1 or not len(targets) or predicted.shape[-1:] != targets.shape:
        msg = f"expected rows of the same videos, got {tuple(targets.shape)} and {tuple(predicted.shape)}"
        raise ValueError(msg)
