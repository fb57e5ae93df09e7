"""Lloyd's iterations from several starts at once, for devices that launch kernels."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

CHECKED_EVERY = 5
"""Iterations between two looks at what has converged; a look waits."""
_ELEMENTS = 2**26  # of the block of scores that is held at a time


def batched_lloyd(x: Tensor, centres: Tensor, *, iterations: int) -> tuple[Tensor, Tensor]:
    """Run Lloyd's iterations on points `x` (N, D) from R starts, `centres` (R, K, D).

    Returns centres (R, K, D), and the cluster of each point (R, N) int64: what `harness.functional.kmeans.lloyd` gives
    from each start alone, up to rounding, empty clusters included, and the same in every run.

    An iteration compares all points with all centres, and its shapes do not depend on the data. So a device is given
    one iteration after another without waiting for any; every `CHECKED_EVERY` iterations the starts that have converged
    are left out. The cost are two products of N x R x K x D. The second gives the means: sums of points as products
    with one-hot clusters have a fixed order, unlike scattered additions. Half precision is computed in single.
    """
    points = _Points.of(x.to(torch.promote_types(x.dtype, torch.float32)))
    kept, nearest = centres.to(points.x, copy=True), torch.full((len(centres), len(x)), -1, device=x.device)
    running = list(range(len(centres)))
    for start in range(0, iterations, CHECKED_EVERY):
        rows = torch.tensor(running, device=x.device)
        state = _State(kept[rows], nearest[rows], torch.zeros(len(running), dtype=torch.bool, device=x.device))
        for _ in range(min(CHECKED_EVERY, iterations - start)):
            state = _iterate(points, state)
        kept[rows], nearest[rows] = state.centres, state.nearest
        running = [row for row, done in zip(running, state.converged.tolist(), strict=True) if not done]
        if not running:
            break
    return kept.to(x.dtype), nearest


class _Points(NamedTuple):
    x: Tensor
    """(N, D)."""
    norms: Tensor
    """(N,) squared lengths."""
    counted: Tensor
    """(N, D + 1) with a column of ones, whose sums are the sizes of clusters."""

    @classmethod
    def of(cls, x: Tensor) -> _Points:
        return cls(x, x.square().sum(1), F.pad(x, (0, 1), value=1.0))


class _State(NamedTuple):
    centres: Tensor
    """(R, K, D)."""
    nearest: Tensor
    """(R, N) int64: clusters in the iteration before, -1 at the start."""
    converged: Tensor
    """(R,) bool: no cluster has changed, and centres stay."""


def _iterate(points: _Points, state: _State) -> _State:
    """Assign all points, and move the centres of starts that have not converged."""
    count, clusters, dim = state.centres.shape
    centres = state.centres.flatten(0, 1)
    norms = centres.square().sum(1)
    nearest, distances = torch.empty_like(state.nearest), points.x.new_empty(state.nearest.shape)
    sums = points.x.new_zeros(count * clusters, dim + 1)
    step = max(1, _ELEMENTS // (count * clusters))
    for start in range(0, len(points.x), step):
        part = slice(start, start + step)
        scores = torch.addmm(norms, points.x[part], centres.mT, alpha=-2).view(-1, count, clusters)
        least, index = scores.min(2)
        nearest[:, part], distances[:, part] = index.mT, (least + points.norms[part, None]).mT
        members = scores.zero_().scatter_(2, index[:, :, None], 1.0)
        sums.addmm_(members.flatten(1).mT, points.counted[part])
    converged = state.converged | (nearest == state.nearest).all(1)
    sums = sums.view(count, clusters, dim + 1)
    sizes = sums[:, :, dim:]
    empty = sizes == 0
    # Where none is empty these are looked for in vain: to know it would be to wait for the device.
    farthest = distances.topk(clusters, dim=1).indices
    restarts = points.x[farthest.gather(1, (empty.squeeze(2).cumsum(1) - 1).clamp_(min=0))]
    moved = torch.where(empty, restarts, sums[:, :, :dim] / sizes)
    return _State(torch.where(converged[:, None, None], state.centres, moved), nearest, converged)
