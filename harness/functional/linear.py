"""Linear classifiers, fitted many at once."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.finite import all_finite


@dataclass(frozen=True, slots=True)
class LinearClassifiers:
    """P linear classifiers of the same C classes."""

    weight: Tensor
    """(P, C, D)."""
    bias: Tensor
    """(P, C); minus infinity for a class without training points: never predicted."""
    objective: Tensor
    """(P,) float64 objective at the solution."""
    converged: Tensor
    """(P,) bool."""


def expect_points(x: Tensor, labels: Tensor, classes: int) -> None:
    """Expect finite floating-point points `x` and int64 labels in [0, `classes`).

    Raises:
        ValueError: when they are not.
    """
    if labels.dtype != torch.int64 or not bool(((labels >= 0) & (labels < classes)).all()):
        msg = f"labels must be int64 in [0, {classes}), got {labels.dtype} in [{labels.min()}, {labels.max()}]"
        raise ValueError(msg)
    if not x.is_floating_point() or not all_finite(x):
        msg = f"x must be floating point and finite, got {x.dtype} with {int((~x.isfinite()).sum())} NaN or infinite"
        raise ValueError(msg)
