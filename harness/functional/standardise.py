"""Features of zero mean and unit variance."""

from __future__ import annotations

import torch
from torch import Tensor


def standardise(reference: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
    """`reference` (N, D) and `others` (M, D), all by the mean and standard deviation of `reference`'s columns.

    A column that does not vary in `reference` beyond floating-point rounding becomes 0 everywhere.

    >>> train, test = standardise(torch.tensor([[1.0, 7.0], [3.0, 7.0]]), torch.tensor([[5.0, 9.0]]))
    >>> train.tolist(), test.tolist()
    ([[-1.0, 0.0], [1.0, 0.0]], [[3.0, 0.0]])
    """
    wide = reference.to(torch.float64)
    mean, deviation = wide.mean(0), wide.std(0, correction=0)
    rounding = 4 * torch.finfo(reference.dtype).eps * wide.abs().amax(0)
    factor = torch.where(deviation > rounding, 1 / deviation, 0.0)
    return tuple(((part - mean) * factor).to(part.dtype) for part in (reference, *others))
