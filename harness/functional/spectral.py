"""Spectral clustering after Ng, Jordan and Weiss, of all pairs or of a graph."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.finite import all_finite
from harness.functional.kmeans import lloyd
from harness.functional.neighbours import nearest_neighbours
from harness.functional.product import product

DENSE = 20_000
"""Points up to which every pair has its affinity by default: N * N numbers."""
NEIGHBOURS = 10
"""Neighbours of each point in the graph of more points than that."""
_SAMPLE = 1024  # points whose pairwise distances set the width of the kernel
_EXACT = 1024  # points up to which the whole eigensystem is as fast
_GAIN = 1e4  # of the largest eigenvalue in one filter: more would drown the others in float32
_FILTERS = 40
_TOLERANCE = 1e-5  # of |Lv - lv|

_Multiply = Callable[[Tensor], Tensor]


def spectral(x: Tensor, k: int, *, neighbours: int | None = None) -> Tensor:
    """Cluster points `x` (N, D) by k-means on the rows of `spectral_embedding`.

    Clusters are numbered in the order of their first points. K-means starts once, at the rows that lie nearest to
    orthogonal, found without chance; starts at random rows collapse. For a spread over runs,
    `kmeans(spectral_embedding(x, k), k, seeds)` starts once for each seed.

    Returns:
        (N,) int64.

    Raises:
        ValueError: as in `spectral_embedding`.

    Source: Ng, Jordan and Weiss, "On spectral clustering: analysis and an algorithm", NIPS 2001, section 2, with the
    starts by QR with pivots of Damle, Minden and Ying, "Simple, direct and efficient multi-way spectral clustering",
    Information and Inference 2019.

    >>> points = torch.tensor([[0.0], [0.2], [0.1], [9.0], [9.1]])
    >>> clusters = spectral(points, 2)
    >>> clusters.eq(clusters[0]).tolist()
    [True, True, True, False, False]
    """
    vectors = _eigenvectors(x, k, neighbours)
    rows = _unit(vectors)
    # Pivots are sought among rows of unequal length: rounding would choose among equal ones.
    clusters = lloyd(rows, rows[_pivots(vectors)])[1]
    first = torch.full((k,), len(x), device=x.device)
    first.scatter_reduce_(0, clusters, torch.arange(len(x), device=x.device), "amin")
    return first.argsort().argsort()[clusters]


def spectral_embedding(x: Tensor, k: int, *, neighbours: int | None = None) -> Tensor:
    """Embed points `x` (N, D) so that k groups lie near k orthogonal directions.

    The rows have unit length.

    The affinity of two points at distance d is exp(-d^2 / 2 s^2), and 0 to themselves; s is the median distance of
    different points (of 1,024 points drawn from more). The rows are those of the k leading eigenvectors of
    D^-1/2 A D^-1/2 (D is diagonal with the row sums of A), scaled to length 1. A point so far from all others that its
    affinities vanish has a row of zeros. Chance has no part, but where eigenvalues are equal, rounding decides how the
    directions are turned; only the angles between rows are then determined.

    Args:
        x: (N, D) floating point; half precision is computed in single.
        k: how many eigenvectors.
        neighbours: keep only the affinities of a point and those so many nearest to it, or of which it is one; memory
            then grows linearly in N. None keeps all up to `DENSE` points, and above that those of `NEIGHBOURS`.

    Returns:
        (N, k) of the points' type, or single precision.

    Raises:
        ValueError: when `x` is not a finite floating-point (N, D) of at least two points, k is not in [1, N], or
            `neighbours` is not in [1, N - 1].

    Source: Ng, Jordan and Weiss, "On spectral clustering: analysis and an algorithm", NIPS 2001, section 2.
    """
    return _unit(_eigenvectors(x, k, neighbours))


def _unit(vectors: Tensor) -> Tensor:
    return F.normalize(vectors, dim=1, eps=torch.finfo(vectors.dtype).tiny)


def _eigenvectors(x: Tensor, k: int, neighbours: int | None) -> Tensor:
    if x.ndim != 2 or len(x) < 2 or not x.is_floating_point() or not all_finite(x):
        msg = f"x must be (N, D) of at least 2 points, floating point and finite, got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if not 1 <= k <= len(x):
        msg = f"k must be between 1 and the {len(x)} points, got {k}"
        raise ValueError(msg)
    if neighbours is None and len(x) > DENSE:
        neighbours = NEIGHBOURS
    x = x if x.dtype == torch.float64 else x.to(torch.float32)
    x = x - x.mean(0)  # distances from products lose least around 0
    x = x / x.abs().amax().clamp(min=torch.finfo(x.dtype).tiny)
    multiply, lowest = _dense(x) if neighbours is None else _graph(x, neighbours)
    return _leading(multiply, lowest, k, x)


def _width(x: Tensor) -> Tensor:
    """Median distance of different points, of a sample."""
    if len(x) > _SAMPLE:
        x = x[torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:_SAMPLE].to(x.device)]
    distances = F.pdist(x)
    apart = distances[distances > 0]
    return apart.median() if len(apart) else distances.new_ones(())


def _dense(x: Tensor) -> tuple[_Multiply, float]:
    """Product with the normalised affinity of all pairs, and a lower eigenvalue bound."""
    norms = x.square().sum(1)
    affinity = product(x, x.mT)  # in place from here: there is room for one such matrix only
    affinity.mul_(2).sub_(norms).sub_(norms[:, None]).clamp_(max=0)
    affinity.div_(2 * _width(x).square()).exp_().fill_diagonal_(0)
    root = _inverse_root(affinity.sum(1))
    affinity.mul_(root).mul_(root[:, None])
    # A Gaussian kernel has no negative eigenvalue; what is below 0 comes from the diagonal, which was 1.
    return lambda v: product(affinity, v), -min(1.0, float(root.square().max()))


def _graph(x: Tensor, neighbours: int) -> tuple[_Multiply, float]:
    """Product with the affinity of neighbours only, and a lower eigenvalue bound."""
    n = len(x)
    distances, index = nearest_neighbours(x, neighbours)
    own = torch.arange(n, device=x.device).repeat_interleave(neighbours)
    other = index.flatten()
    edges, where = torch.unique(torch.cat([own * n + other, other * n + own]), return_inverse=True)
    affinity = x.new_empty(len(edges))
    affinity[where] = (distances.flatten() / _width(x)).square().div(-2).exp().repeat(2)
    rows, columns = edges // n, edges % n
    bounds = torch.searchsorted(rows, torch.arange(n + 1, device=x.device))
    root = _inverse_root(_bags(affinity[:, None], torch.arange(len(edges), device=x.device), bounds)[:, 0])
    affinity *= root[rows] * root[columns]
    return lambda v: _bags(v, columns, bounds, affinity), -1.0


def _bags(v: Tensor, index: Tensor, bounds: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sparse product as sums of rows of `v` in a fixed order."""
    return F.embedding_bag(index, v, bounds, mode="sum", per_sample_weights=weights, include_last_offset=True)


def _inverse_root(degree: Tensor) -> Tensor:
    return torch.where(degree > 0, degree.rsqrt(), 0.0)


def _leading(multiply: _Multiply, lowest: float, k: int, x: Tensor) -> Tensor:
    """(N, k) orthonormal eigenvectors of the largest eigenvalues, the largest first.

    Subspace iteration on a block with some vectors to spare, each time through the Chebyshev polynomial that is small
    on [lowest, the smallest eigenvalue of the block]: a block, unlike a single vector, finds eigenvalues that repeat,
    as they do where the graph falls apart.

    Source: Zhou, Saad, Tiago and Chelikowsky, "Self-consistent-field calculations using Chebyshev-filtered subspace
    iteration", Journal of Computational Physics 2006, section 2.
    """
    n = len(x)
    if n <= _EXACT:
        whole = multiply(torch.eye(n, dtype=x.dtype, device=x.device)).to(torch.float64)
        vectors: Tensor = torch.linalg.eigh((whole + whole.mT) / 2)[1]
        return vectors.flip(1)[:, :k].to(x)
    width = min(n, k + max(8, k // 5))
    start = torch.randn((n, width), generator=torch.Generator().manual_seed(0), dtype=x.dtype).to(x.device)
    block = _orthonormal(start)
    for _ in range(_FILTERS):
        image = multiply(block)
        values, turn = torch.linalg.eigh(block.mT @ image)
        values, turn = values.flip(0), turn.flip(1)
        block, image = block @ turn, image @ turn
        if (image - values * block)[:, :k].norm(dim=0).max() < _TOLERANCE:
            break
        block = _orthonormal(_filter(multiply, block, image, lowest, values))
    return block[:, :k]


def _orthonormal(block: Tensor) -> Tensor:
    columns: Tensor = torch.linalg.qr(block)[0]
    return columns


def _filter(multiply: _Multiply, block: Tensor, image: Tensor, lowest: float, values: Tensor) -> Tensor:
    """Apply the Chebyshev polynomial of the matrix to `block`.

    The product of the matrix with `block` is `image`.
    """
    centre, half = (float(values[-1]) + lowest) / 2, max(1e-3, (float(values[-1]) - lowest) / 2)
    reach = max(1 + 1e-6, (float(values[0]) - centre) / half)
    degree = max(1, min(32, int(math.acosh(_GAIN) / math.acosh(reach))))
    before, now = block, (image - centre * block) / half
    for _ in range(degree - 1):
        before, now = now, (multiply(now) - centre * now).mul_(2 / half).sub_(before)
    return now


def _pivots(rows: Tensor) -> Tensor:
    """(k,) indices of rows (N, k), each farthest from the span of those before."""
    left, basis, chosen = rows.square().sum(1), torch.zeros_like(rows[: rows.shape[1]]), []
    for step in range(rows.shape[1]):
        chosen.append(left.argmax())
        row = rows[chosen[-1]]
        for _ in range(2):  # once more removes what rounding left
            row = row - (basis @ row) @ basis
        basis[step] = F.normalize(row, dim=0)
        left = left - (rows @ basis[step]).square()
    return torch.stack(chosen)
