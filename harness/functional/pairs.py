"""Draws of pairs of videos of the same class and of different ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.functional.numbering import number


class Pairs(NamedTuple):
    """Partners of A videos, as many of the same class as of others."""

    first: Tensor
    """(A,) int64 positions, ascending, of the videos that have both kinds of partner."""
    same: Tensor
    """(A, P) int64 positions of partners of the same class."""
    other: Tensor
    """(A, P) int64 positions of partners of another class."""


def draw_pairs(labels: Tensor, groups: Sequence[str], count: int, seed: int) -> Pairs:
    """Draw `count` partners of its class, and as many of others, for each video.

    A partner is of another group than the video, whatever its class, and every such video is as likely; it may be
    drawn again. A video whose group is "" is a group of its own. A video without a partner of both kinds opens no
    pairs. The draws depend on labels, groups and seed alone, so all encoders get the same.

    Args:
        labels: (N,) integers.
        groups: the group of each video.
        count: P.
        seed: not negative.

    Raises:
        ValueError: when labels and groups differ in number, or `count` is below 1.

    >>> pairs = draw_pairs(torch.tensor([0, 0, 0, 1]), ["a", "a", "b", "c"], count=1, seed=0)
    >>> pairs.first.tolist(), pairs.same[:2].tolist(), pairs.other.tolist()
    ([0, 1, 2], [[2], [2]], [[3], [3], [3]])
    """
    if count < 1:
        msg = f"at least one pair is needed, got {count}"
        raise ValueError(msg)
    classes, names = number(labels, groups)
    order = np.lexsort((names, classes))  # classes are runs of it, and in these groups are
    by_class = _runs(classes[order])[:, np.argsort(order)]
    by_cell = _runs(classes[order] * (np.max(names) + 1) + names[order])[:, np.argsort(order)]
    others = len(groups) - by_class[1] - np.bincount(names)[names] + by_cell[1]
    first = np.flatnonzero((by_class[1] > by_cell[1]) & (others > 0))
    # Raw numbers, because NumPy keeps their stream for ever, which it does not promise of a Generator's methods.
    source = np.random.PCG64(seed)
    (start, size), (cell_start, cell_size) = by_class[:, first, None], by_cell[:, first, None]
    places = start + _below(source, size - cell_size, count)
    same = order[places + cell_size * (places >= cell_start)]
    other = _of_other_class(source, start, size, len(groups), order, count)
    while len(clash := np.argwhere(names[other] == names[first, None])):
        row, column = clash.T
        other[row, column] = _of_other_class(source, start[row], size[row], len(groups), order, 1)[:, 0]
    return Pairs(*(torch.from_numpy(part).to(labels.device) for part in (first, same, other)))


def _runs(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """(2, N): first position and length of the run of equal values at each place."""
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff(np.append(starts, len(values)))
    return np.stack([np.repeat(starts, sizes), np.repeat(sizes, sizes)])


def _below(source: np.random.PCG64, limits: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """(A, count) uniform integers from 0, below the limits (A, 1)."""
    raw: NDArray[Any] = source.random_raw(len(limits) * count).reshape(len(limits), count) >> np.uint64(11)
    return (raw.astype(np.float64) * 2.0**-53 * limits).astype(np.int64)


def _of_other_class(
    source: np.random.PCG64,
    start: NDArray[np.int64],
    size: NDArray[np.int64],
    total: int,
    order: NDArray[np.int64],
    count: int,
) -> NDArray[np.int64]:
    """(A, count) positions outside a run of `order` from `start` (A, 1) on."""
    places = _below(source, total - size, count)
    found: NDArray[np.int64] = order[places + size * (places >= start)]
    return found
