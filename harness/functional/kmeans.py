"""Lloyd's k-means from k-means++ starts, all seeds in one batch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

_ELEMENTS = 2**22  # of the (n, R, K) block of distances that is held at a time


@dataclass(frozen=True, slots=True)
class KMeans:
    """R clusterings of the same N points."""

    assignments: Tensor
    """(R, N) int64: the cluster of each point, in [0, K)."""
    inertia: Tensor
    """(R,) float64: the sum of squared distances of the points to their centres."""
    centres: Tensor
    """(R, K, D), of the points' type."""


def kmeans(x: Tensor, k: int, seeds: Sequence[int], *, iterations: int = 300) -> KMeans:
    """Cluster the points `x` (N, D) into `k` clusters, once for each seed.

    Starts from `kmeans_plus_plus` and iterates until no assignment changes, or `iterations` times. A cluster that
    loses all its points is restarted at the point farthest from its own centre (the second such cluster at the
    second farthest, and so on), as in scikit-learn; clusters stay empty only when there are fewer different points
    than clusters. A seed's result is the same on its own and among others, up to floating-point rounding. Memory
    grows linearly in N.

    Raises:
        ValueError: when `x` is not a finite floating-point (N, D), k is not in [1, N], there is no seed, or
            `iterations` is below 1.

    >>> result = kmeans(torch.tensor([[0.0], [0.1], [5.0], [5.1]]), 2, seeds=[0, 1])
    >>> result.assignments[:, 0].eq(result.assignments[:, 1]).tolist(), [round(i, 3) for i in result.inertia.tolist()]
    ([True, True], [0.01, 0.01])
    """
    _check(x, k, seeds)
    if iterations < 1:
        msg = f"iterations must be at least 1, got {iterations}"
        raise ValueError(msg)
    scaled, mean, scale = _centred(x)
    centres = scaled[_plus_plus(scaled, k, seeds)]  # (R, K, D)
    assignments = torch.full((len(seeds), len(x)), -1, device=x.device)
    active = torch.arange(len(seeds), device=x.device)
    for _ in range(iterations):
        nearest, sums, counts, distances = _assign(scaled, centres[active])
        moved = (nearest != assignments[active]).any(1)
        assignments[active] = nearest
        if not moved.any():
            break
        active = active[moved]
        centres[active] = _means(scaled, sums[moved], counts[moved], distances[moved])
    inertia = _inertia(scaled, centres, assignments) * scale.to(torch.float64).square()
    return KMeans(assignments, inertia, centres * scale + mean)


def kmeans_plus_plus(x: Tensor, k: int, seeds: Sequence[int]) -> Tensor:
    """(R, K) indices of points of `x` (N, D) that start k-means well, drawn for each seed.

    Each next centre is drawn with a probability proportional to the squared distance to the nearest centre so far;
    of 2 + floor(ln k) candidates the one that lowers the inertia most is kept.

    Source: Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2, and the
    greedy variant of section 5.

    Raises:
        ValueError: as in `kmeans`.
    """
    _check(x, k, seeds)
    return _plus_plus(_centred(x)[0], k, seeds)


def _check(x: Tensor, k: int, seeds: Sequence[int]) -> None:
    if x.ndim != 2 or not x.is_floating_point() or not bool(torch.isfinite(x).all()):
        msg = f"x must be (N, D), floating point and finite, got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if not 1 <= k <= len(x):
        msg = f"k must be between 1 and the {len(x)} points, got {k}"
        raise ValueError(msg)
    if not len(seeds):
        msg = "at least one seed is needed"
        raise ValueError(msg)


def _centred(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The points around 0 with unit spread, where |x|^2 - 2xc + |c|^2 loses least; the mean; the spread."""
    wide = x.to(torch.float64)
    mean = wide.mean(0)
    scale = (wide - mean).square().mean().sqrt()
    scale = torch.where(scale > 0, scale, 1.0)
    return ((wide - mean) / scale).to(x), mean.to(x), scale.to(x)


def _plus_plus(x: Tensor, k: int, seeds: Sequence[int]) -> Tensor:
    n, repeats, tries = len(x), len(seeds), 2 + int(math.log(k))
    draws = torch.stack(
        [torch.rand((k, tries), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) for seed in seeds]
    ).to(x.device)  # (R, K, L): drawn on the CPU, so that every device starts alike
    norms = x.square().sum(1)
    rows = torch.arange(repeats, device=x.device)
    chosen = torch.empty((repeats, k), dtype=torch.int64, device=x.device)
    chosen[:, 0] = (draws[:, 0, 0] * n).long().clamp(max=n - 1)
    nearest = _squared(x, norms, chosen[:, :1]).squeeze(1)  # (R, N)
    for step in range(1, k):
        cumulative = nearest.to(torch.float64).cumsum(1)
        total = cumulative[:, -1:]
        uniform = torch.arange(1, n + 1, device=x.device, dtype=torch.float64).expand(repeats, n)
        cumulative = torch.where(total > 0, cumulative, uniform)
        candidates = torch.searchsorted(cumulative, draws[:, step] * cumulative[:, -1:], right=True)
        candidates = candidates.clamp(max=n - 1)  # (R, L)
        distances = torch.minimum(nearest[:, None], _squared(x, norms, candidates))  # (R, L, N)
        best = distances.sum(2, dtype=torch.float64).argmin(1)
        chosen[:, step] = candidates[rows, best]
        nearest = distances[rows, best]
    return chosen


def _squared(x: Tensor, norms: Tensor, index: Tensor) -> Tensor:
    """(R, L, N) squared distances of the points `index` (R, L) to all points; exactly 0 to themselves."""
    flat = index.flatten()
    distances = (norms[flat, None] + norms - 2 * x[flat] @ x.mT).clamp_(min=0)
    distances[torch.arange(len(flat), device=x.device), flat] = 0
    return distances.view(*index.shape, -1)


def _assign(x: Tensor, centres: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """One pass over the points for all R clusterings.

    Returns:
        nearest centre (R, N), sum of each cluster's points (R, K, D), their number (R, K), squared distance (R, N).
    """
    repeats, k, dim = centres.shape
    flat = centres.reshape(-1, dim)
    norms = flat.square().sum(1)
    nearest = torch.empty((repeats, len(x)), dtype=torch.int64, device=x.device)
    distances = x.new_empty(repeats, len(x))
    sums, counts = torch.zeros_like(flat), flat.new_zeros(len(flat), dtype=torch.int64)
    step = max(1, _ELEMENTS // len(flat))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        scores = torch.addmm(norms, part, flat.mT, alpha=-2).view(-1, repeats, k)
        least, index = scores.min(2)  # (n, R)
        nearest[:, start : start + step] = index.mT
        distances[:, start : start + step] = (least + part.square().sum(1, keepdim=True)).clamp(min=0).mT
        # As a product and not a scatter: sums of floats in a fixed order on every device.
        member = torch.zeros_like(scores).scatter_(2, index[:, :, None], 1).view(len(part), -1)
        sums.addmm_(member.mT, part)
        counts += member.sum(0, dtype=torch.int64)
    return nearest, sums.view(repeats, k, dim), counts.view(repeats, k), distances


def _means(x: Tensor, sums: Tensor, counts: Tensor, distances: Tensor) -> Tensor:
    """(R, K, D) means of the clusters; empty ones at the farthest points."""
    centres = sums / counts.clamp(min=1)[:, :, None]
    empty = counts == 0
    most = int(empty.sum(1).max())
    if most:
        farthest = distances.topk(most, dim=1).indices
        repeat, cluster = empty.nonzero(as_tuple=True)
        centres[repeat, cluster] = x[farthest[repeat, empty.cumsum(1)[repeat, cluster] - 1]]
    return centres


def _inertia(x: Tensor, centres: Tensor, assignments: Tensor) -> Tensor:
    total = torch.zeros(len(centres), dtype=torch.float64, device=x.device)
    repeat = torch.arange(len(centres), device=x.device)[:, None]
    step = max(1, _ELEMENTS // (len(centres) * x.shape[1]))
    for start in range(0, len(x), step):
        gaps = x[start : start + step] - centres[repeat, assignments[:, start : start + step]]  # (R, n, D)
        total += gaps.to(torch.float64).square().sum((1, 2))
    return total
