"""Weighted contingency tables, batched over repeats and bootstrap draws."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_ELEMENTS = 2**22  # weights cast to float64 at a time, so that thousands of draws do not fill the memory

Draws = Callable[[Tensor, Tensor, Tensor], Tensor]
"""Labels (N,), predictions (N,) and float64 weights (B, N) -> (B,) float64."""


def batched(draws: Draws, labels: Tensor, predicted: Tensor, weights: Tensor | None) -> Tensor:
    """Apply `draws` to every row of `predicted` (..., N) and all weights (B, N).

    The result is (...), or (..., B) with weights, which are cast in pieces.

    Raises:
        ValueError: when shapes do not fit, a tensor is not of integers, or a draw of `weights` is negative or empty.
    """
    _check(labels, predicted, weights)
    rows = predicted.reshape(-1, len(labels))
    all_weights = labels.new_ones(1, len(labels)) if weights is None else weights
    parts = []
    for part in torch.split(all_weights, max(1, _ELEMENTS // len(labels))):
        part = part.to(torch.float64)
        if not bool((part >= 0).all() and (part.sum(1) > 0).all() and torch.isfinite(part).all()):
            msg = "weights must be finite and not negative, with at least one positive in each draw"
            raise ValueError(msg)
        parts.append(torch.stack([draws(labels, row, part) for row in rows]))
    values = torch.cat(parts, dim=1)
    return values.reshape(predicted.shape[:-1] if weights is None else (*predicted.shape[:-1], len(weights)))


def _check(labels: Tensor, predicted: Tensor, weights: Tensor | None) -> None:
    if labels.ndim != 1 or not len(labels):
        msg = f"labels must be (N,) with at least one video, got {tuple(labels.shape)}"
        raise ValueError(msg)
    if predicted.ndim < 1 or predicted.shape[-1] != len(labels) or not predicted.numel():
        msg = f"predicted must be (..., {len(labels)}), got {tuple(predicted.shape)}"
        raise ValueError(msg)
    for name, tensor in (("labels", labels), ("predicted", predicted)):
        if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
            msg = f"{name} must be integers, got {tensor.dtype}"
            raise ValueError(msg)
    if weights is not None and (weights.ndim != 2 or weights.shape[1] != len(labels) or not len(weights)):
        msg = f"weights must be (B, {len(labels)}), got {tuple(weights.shape)}"
        raise ValueError(msg)


def group_sums(weights: Tensor, index: Tensor) -> Tensor:
    """(G, B) weights of the G groups that `index` (N,) makes, in each draw."""
    return weights.new_zeros(int(index.max()) + 1, len(weights)).index_add_(0, index, weights.mT)


def filled_cells(labels: Tensor, predicted: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Filled cells of the contingency table: weights (U, B) and clusters (U,).

    Only filled cells, because at most N of the C x K are.
    """
    rows = torch.unique(labels, return_inverse=True)[1]
    columns = torch.unique(predicted, return_inverse=True)[1]
    width = int(columns.max()) + 1
    filled, index = torch.unique(rows * width + columns, return_inverse=True)
    return group_sums(weights, index), filled % width


def conditional_entropies(labels: Tensor, predicted: Tensor, weights: Tensor) -> Tensor:
    """(B,) bits of H(class | cluster) for `labels` and `predicted` (N,), in each draw."""
    cells, cluster = filled_cells(labels, predicted, weights)
    clusters = group_sums(cells.mT, cluster)
    return ((_xlog2x(clusters).sum(0) - _xlog2x(cells).sum(0)) / weights.sum(1)).clamp(min=0)


def entropies(labels: Tensor, weights: Tensor) -> Tensor:
    """(B,) bits of entropy of `labels` (N,), in each draw."""
    frequencies = group_sums(weights, torch.unique(labels, return_inverse=True)[1]) / weights.sum(1)
    return (-_xlog2x(frequencies).sum(0)).clamp(min=0)


def _xlog2x(x: Tensor) -> Tensor:
    return torch.xlogy(x, x) / math.log(2)
