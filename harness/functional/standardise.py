"""Features of zero mean and unit variance."""

from __future__ import annotations

import torch
from torch import Tensor


def standardise(reference: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """Standardise (N, D) and others (M, D) by the columns of `reference` (N, D).

    A column that does not vary in `reference` beyond floating-point rounding becomes 0 everywhere.

    >>> train, test = standardise(torch.tensor([[1.0, 7.0], [3.0, 7.0]]), torch.tensor([[5.0, 9.0]]))
    >>> train.tolist(), test.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0]])
    """
    mean, factor = scaling(reference)
    return tuple(((part - mean.to(torch.float64)) * factor).to(part.dtype) for part in (reference, *others))


def scaling(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and inverse standard deviation of the columns of `x` (..., N, D).

    Both are (..., 1, D) of x's type.

    The inverse is 0 for a column that does not vary beyond floating-point rounding.

    >>> scaling(torch.tensor([[1.0, 7.0], [3.0, 7.0]]))
    (tensor([[2., 7.]]), tensor([[1., 0.]]))
    """
    wide = x.to(torch.float64)
    mean, deviation = wide.mean(-2, keepdim=True), wide.std(-2, correction=0, keepdim=True)
    rounding = 4 * torch.finfo(x.dtype).eps * wide.abs().amax(-2, keepdim=True)
    factor = torch.where(deviation > rounding, 1 / deviation, 0.0)
    return mean.to(x), factor.to(x)
