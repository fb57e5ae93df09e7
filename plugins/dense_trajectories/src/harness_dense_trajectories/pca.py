"""Principal component analysis."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.blocks import blocks

_NOISE = 1e-10
"""Variance, as a share of the largest, below which a direction is rounding."""


@dataclass(frozen=True, slots=True)
class Pca:
    """An affine map onto the d directions of largest variance."""

    mean: Tensor
    """(D,)."""
    components: Tensor
    """(d, D): orthonormal rows, the largest variance first; the largest entry of each is positive."""
    variance: Tensor
    """(d,): of the fitted points along each component, with N - 1 degrees of freedom."""
    whiten: bool = False
    """Whether projections are divided by their standard deviations."""

    def project(self, x: Tensor) -> Tensor:
        """(N, d) coordinates of the points `x` (N, D), of their type.

        Whitened coordinates have variance 1 on the fitted points, and 0 along components without variance.
        NaN stays in its row.

        >>> Pca(torch.zeros(2), torch.eye(2), torch.tensor([4.0, 0.0]), whiten=True).project(torch.tensor([[2.0, 3.0]]))
        tensor([[1., 0.]])
        """
        mean, components = self.mean.to(x), self.components
        if self.whiten:
            varies = self.variance > 0
            components = torch.where(varies, self.variance, torch.inf).rsqrt()[:, None] * components
        basis = components.to(x).mT
        coordinates = x.new_empty(len(x), basis.shape[1])
        for part in blocks(len(x), len(mean), x.device):
            coordinates[part] = product(x[part] - mean, basis)
        return coordinates


def fit_pca(x: Tensor, *, variance: float = 0.9, dim: int | None = None, whiten: bool = False) -> Pca:
    """Fit to the points `x` (N, D), keeping the fewest components that explain more than a share of the variance.

    The covariance and its eigenvectors are computed in float64. Equal to scikit-learn's `PCA(variance)`, or `PCA(dim)`,
    up to the signs of components, which here depend on nothing but the directions. Constant columns have no part in any
    component. With N <= D there are at most N - 1 directions with variance, and no more are kept. Memory grows by
    D * D and not with N.

    Args:
        x: floating point.
        variance: the share to exceed, in (0, 1]; 1 keeps all directions that have variance.
        dim: d, in place of `variance`.
        whiten: divide projections by their standard deviations.

    Raises:
        ValueError: when `x` is not (N >= 2, D), has a NaN or infinity or no variance at all, `variance` is outside
            (0, 1], or there are fewer than `dim` directions with variance.

    >>> x = torch.tensor([[0.0, 1.0, 7.0], [1.0, 1.0, 7.0], [2.0, 1.0, 7.0]])
    >>> fit_pca(x).components.tolist(), fit_pca(x).variance.tolist()
    ([[1.0, 0.0, 0.0]], [1.0])
    """
    if x.ndim != 2 or not x.is_floating_point() or len(x) < 2:
        msg = f"x must be at least two floating-point points (N, D), got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if not 0 < variance <= 1:
        msg = f"variance must be in (0, 1], got {variance}"
        raise ValueError(msg)
    mean, covariance = _covariance(x)
    if not bool(torch.isfinite(covariance).all()):
        msg = "x has NaN or infinite entries"
        raise ValueError(msg)
    values, vectors = torch.linalg.eigh(covariance)
    values, components = values.flip(0).clamp(min=0), vectors.mT.flip(0)
    values = torch.where(values > _NOISE * values[0], values, 0.0)
    rank = int((values > 0).sum())
    if not rank:
        msg = "x has no variance: all its points are equal"
        raise ValueError(msg)
    if dim is None:
        share = values.cumsum(0) / values.sum()
        dim = min(int((share <= variance).sum()) + 1, rank)
    if not 1 <= dim <= rank:
        msg = f"dim must be between 1 and the {rank} directions that have variance, got {dim}"
        raise ValueError(msg)
    return Pca(mean.to(x), _signed(components[:dim]).to(x), values[:dim].to(x), whiten)


def _covariance(x: Tensor) -> tuple[Tensor, Tensor]:
    """Float64 mean (D,) and covariance (D, D) with N - 1 degrees of freedom."""
    count, dim = x.shape
    mean = torch.zeros(dim, dtype=torch.float64, device=x.device)
    covariance = torch.zeros(dim, dim, dtype=torch.float64, device=x.device)
    for part in blocks(count, dim, x.device):
        mean += x[part].sum(0, dtype=torch.float64)
    mean /= count
    for part in blocks(count, dim, x.device):
        centred = x[part].to(torch.float64) - mean
        covariance.addmm_(centred.mT, centred)
    return mean, covariance / (count - 1)


def _signed(components: Tensor) -> Tensor:
    """Make the largest entry of each row positive; of equally large ones, up to rounding, the first."""
    sizes = components.abs()
    first = (sizes >= (1 - 1e-6) * sizes.amax(1, keepdim=True)).to(torch.uint8).argmax(1, keepdim=True)
    return components * components.gather(1, first).sign()
