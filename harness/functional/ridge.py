"""Ridge regression, all penalties from one decomposition."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.finite import all_finite


@dataclass(frozen=True, slots=True)
class Ridge:
    """P linear regressions."""

    weight: Tensor
    """(P, D) float64."""
    bias: Tensor
    """(P,) float64."""

    def predict(self, x: Tensor) -> Tensor:
        """(P, N) float64 predictions for points (N, D)."""
        return self.weight @ x.to(torch.float64).mT + self.bias[:, None]


def fit_ridge(x: Tensor, targets: Tensor, strengths: Tensor) -> Ridge:
    """Fit a ridge regression for each strength.

    Each minimises the mean of (y - w x - b)^2 plus strength * |w|^2; b is not penalised. scikit-learn's
    `Ridge(alpha=N * strength)` minimises this times N. One eigendecomposition, of whichever product of the centred
    points with themselves is smaller, gives the solutions of all strengths.

    Args:
        x: (N, D) points.
        targets: (N,) y.
        strengths: (P,) of the penalty, positive.

    Raises:
        ValueError: when shapes do not fit, something is not finite, or a strength is not positive.

    >>> fitted = fit_ridge(torch.tensor([[-1.0], [1.0]]), torch.tensor([0.0, 4.0]), torch.tensor([1e-9, 1.0]))
    >>> fitted.weight.round(decimals=6).tolist(), fitted.bias.tolist()
    ([[2.0], [1.0]], [2.0, 2.0])
    """
    _check(x, targets, strengths)
    points, wanted, penalties = (part.to(torch.float64) for part in (x, targets, strengths))
    middle, mean = points.mean(0), wanted.mean()
    centred, residual = points - middle, wanted - mean
    count, dim = centred.shape
    wide = dim > count
    values, basis = torch.linalg.eigh((centred @ centred.mT if wide else centred.mT @ centred) / count)
    along = basis.mT @ (residual if wide else centred.mT @ residual) / count
    weight = (along / (values.clamp(min=0) + penalties[:, None])) @ basis.mT
    weight = weight @ centred if wide else weight
    return Ridge(weight, mean - weight @ middle)


def _check(x: Tensor, targets: Tensor, strengths: Tensor) -> None:
    if x.ndim != 2 or not x.numel() or targets.shape != x.shape[:1]:
        msg = f"x must be (N, D) and targets (N,), not empty, got {tuple(x.shape)} and {tuple(targets.shape)}"
        raise ValueError(msg)
    if not all_finite(x) or not all_finite(targets):
        msg = "x and targets must be finite"
        raise ValueError(msg)
    if strengths.ndim != 1 or not bool((strengths > 0).all()):
        msg = f"strengths must be (P,) and positive, got {tuple(strengths.shape)} {strengths.tolist()}"
        raise ValueError(msg)
