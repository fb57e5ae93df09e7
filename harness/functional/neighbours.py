"""Exact nearest neighbours within a set of points."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.finite import all_finite
from harness.functional.product import product

_TILE = 2048  # points: squared distances are held for this many by this many at a time


def nearest_neighbours(x: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the `k` nearest other points of each point of `x` (N, D), nearest first.

    Distances are Euclidean.

    A point is never its own neighbour, but a copy of it can be. On rows of unit length these are the neighbours by
    cosine similarity. Each product of two blocks of points serves both, and memory grows linearly in N.

    Returns:
        distances (N, k) of the points' type, accurate to the square root of its precision times the spread of the
        points; indices (N, k) int64.

    Raises:
        ValueError: when `x` is not a finite floating-point (N, D), or k is not in [1, N - 1].

    >>> distances, index = nearest_neighbours(torch.tensor([[0.0], [1.0], [3.0], [3.5]]), 1)
    >>> distances.flatten().tolist(), index.flatten().tolist()
    ([1.0, 1.0, 0.5, 0.5], [1, 0, 3, 2])
    """
    if x.ndim != 2 or not x.is_floating_point() or not all_finite(x):
        msg = f"x must be (N, D), floating point and finite, got {tuple(x.shape)} {x.dtype}"
        raise ValueError(msg)
    if not 1 <= k < len(x):
        msg = f"k must be between 1 and the {len(x) - 1} other points, got {k}"
        raise ValueError(msg)
    x = x - x.mean(0)  # |x|^2 - 2xy + |y|^2 loses least around 0
    norms = x.square().sum(1)
    squared = x.new_full((len(x), k), torch.inf)
    index = torch.zeros((len(x), k), dtype=torch.int64, device=x.device)
    blocks = [slice(start, min(start + _TILE, len(x))) for start in range(0, len(x), _TILE)]
    for number, rows in enumerate(blocks):
        for columns in blocks[number:]:
            tile = product(-2 * x[rows], x[columns].mT, norms[columns]).add_(norms[rows, None])
            if rows == columns:
                tile.fill_diagonal_(torch.inf)
            else:
                _merge(squared[columns], index[columns], tile.mT.contiguous(), rows.start)
            _merge(squared[rows], index[rows], tile, columns.start)
    return squared.clamp_(min=0).sqrt_(), index


def _merge(squared: Tensor, index: Tensor, tile: Tensor, offset: int) -> None:
    """Merge squared distances (n, m) to points from `offset` into the nearest (n, k)."""
    k = squared.shape[1]
    fresh, where = tile.topk(min(k, tile.shape[1]), dim=1, largest=False)
    both, choice = torch.cat([squared, fresh], 1).topk(k, dim=1, largest=False)
    index.copy_(torch.cat([index, where + offset], 1).gather(1, choice))
    squared.copy_(both)
