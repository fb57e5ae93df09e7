"""Linear maps to fewer dimensions: principal components and count sketches."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.product import product
from harness_dense_trajectories.rows import blocks

_NOISE = 1e-10
"""Variance, as a share of the largest, below which a direction is rounding."""


@dataclass(frozen=True, slots=True)
class Pca:
    """Affine map onto the d directions of largest variance."""

    mean: Tensor
    """(D,)."""
    components: Tensor
    """(d, D): orthonormal rows, the largest variance first, largest entry positive."""
    variance: Tensor
    """(d,): of the fitted points along each component, with N - 1 degrees of freedom."""
    whiten: bool = False
    """Division of projections by their standard deviations."""

    def project(self, x: Tensor) -> Tensor:
        """Project the points `x` (N, D) to coordinates (N, d) of their type.

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
    """Fit principal components to the points `x` (N, D).

    The fewest components are kept that explain more than a share of the variance.

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
    """Make the largest entry of each row positive; the first of almost equal ones."""
    sizes = components.abs()
    first = (sizes >= (1 - 1e-6) * sizes.amax(1, keepdim=True)).to(torch.uint8).argmax(1, keepdim=True)
    return components * components.gather(1, first).sign()


@dataclass(frozen=True, slots=True)
class Sketch:
    """Map from D to M dimensions that adds each coordinate to a bucket, signed.

    Raises:
        ValueError: when a bucket is not in [0, M), a sign not 1 or -1, or the two are not of one length.
    """

    buckets: Tensor
    """(D,) int64 in [0, M)."""
    signs: Tensor
    """(D,) int8, 1 or -1."""
    dim: int
    """M."""

    def __post_init__(self) -> None:
        if self.buckets.ndim != 1 or self.buckets.dtype != torch.int64 or self.signs.shape != self.buckets.shape:
            got = f"{tuple(self.buckets.shape)} {self.buckets.dtype} and {tuple(self.signs.shape)}"
            msg = f"buckets must be (D,) int64 and signs (D,), got {got}"
            raise ValueError(msg)
        if not bool(((self.buckets >= 0) & (self.buckets < self.dim)).all()) or not bool((self.signs.abs() == 1).all()):
            got = f"{self.buckets.tolist()[:9]} and {self.signs.tolist()[:9]}"
            msg = f"buckets must be in [0, {self.dim}) and signs 1 or -1, got {got}"
            raise ValueError(msg)

    def project(self, x: Tensor) -> Tensor:
        """Sketch the points `x` (N, D) as (N, M) of their type; linear in `x`.

        >>> Sketch(torch.tensor([1, 0, 1]), torch.tensor([1, 1, -1], dtype=torch.int8), 2).project(torch.ones(1, 3))
        tensor([[1., 0.]])
        """
        if x.ndim != 2 or x.shape[1] != len(self.buckets):
            msg = f"x must be (N, {len(self.buckets)}), got {tuple(x.shape)}"
            raise ValueError(msg)
        members, order = self.buckets.to(x.device).sort(stable=True)
        starts = torch.searchsorted(members, torch.arange(self.dim, device=x.device))
        # Bags of rows in a fixed order: as fast as a scatter, and the same sum of floats every time on every device.
        signs = self.signs.to(x)[order]
        return F.embedding_bag(order, x.mT.contiguous(), starts, mode="sum", per_sample_weights=signs).mT.contiguous()


def count_sketch(source: int, dim: int = 2000, *, seed: int = 0, balanced: bool = False) -> Sketch:
    """Draw a random sketch from `source` = D to `dim` = M dimensions.

    Independent uniform buckets and signs keep inner products on average:
    E <Px, Py> = <x, y>, with variance (|x|^2 |y|^2 + <x, y>^2 - 2 sum x_i^2 y_i^2) / M.

    `balanced` is the form of the authors' code: buckets are random permutations of 0..M-1, one after another and cut
    off at D, so that no bucket has two more coordinates than another, and as many signs are 1 as -1 (of an odd number,
    one more is 1). As two signs are then a little more often unlike than like, E <Px, Py> falls short of <x, y> by
    the sum of x_i y_j over i, j of different permutations, divided by M (D - 1); a D that is odd has D in place of
    D - 1.

    Raises:
        ValueError: when a dimension is below 1.

    Source: Charikar, Chen and Farach-Colton, "Finding frequent items in data streams", 2002; Pham and Pagh, "Fast and
    scalable polynomial kernels via explicit feature maps", KDD 2013, lemma 3.

    >>> count_sketch(6, 2, balanced=True).buckets.bincount().tolist()
    [3, 3]
    """
    if source < 1 or dim < 1:
        msg = f"a sketch goes from at least 1 to at least 1 dimension, got {source} and {dim}"
        raise ValueError(msg)
    generator = torch.Generator().manual_seed(seed)
    if balanced:
        permutations = [torch.randperm(dim, generator=generator) for _ in range(-(-source // dim))]
        buckets = torch.cat(permutations)[:source]
        positive = torch.randperm(source, generator=generator) < (source + 1) // 2
    else:
        buckets = torch.randint(dim, (source,), generator=generator)
        positive = torch.randint(2, (source,), generator=generator) == 1
    return Sketch(buckets, 2 * positive.to(torch.int8) - 1, dim)
