"""Effective rank of features, which shows a collapse."""

from __future__ import annotations

import torch
from torch import Tensor


def effective_rank(x: Tensor) -> float:
    """Effective rank of the centred features `x` (N, D): (sum s^2)^2 / sum s^4.

    s are the singular values. It is between 1 and the rank, and 0 where all features are equal. The eigenvalues of the
    smaller of both Gram matrices are s^2, so that their trace and their Frobenius norm are enough.

    Raises:
        ValueError: when `x` is not a floating-point (N, D).

    >>> import torch
    >>> effective_rank(torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0], [0.0, -1.0]]))
    2.0
    """
    return float(effective_rank_of_batch(x))


def effective_rank_of_batch(x: Tensor) -> Tensor:
    """The same as a scalar on the device of `x`, for every step of a training.

    Raises:
        ValueError: as `effective_rank`.
    """
    if x.ndim != 2 or not x.is_floating_point() or not len(x):
        msg = f"x must be floating-point features (N, D), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    centred = x.detach().double()
    centred = centred - centred.mean(0)
    gram = centred.mT @ centred if len(x) > x.shape[1] else centred @ centred.mT
    norm = gram.square().sum()
    return torch.where(norm > 0, gram.diagonal().sum().square() / norm, 0.0)
