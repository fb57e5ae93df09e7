"""Validation folds inside a training split."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.functional.numbering import number_groups


def group_folds(labels: Tensor, groups: Sequence[str], folds: int) -> Tensor:
    """Deal videos into folds, no group in two of them, the classes spread evenly.

    Greedy and without chance: the groups, those of the most unequal class counts first (equal ones in the order of
    their names), go one after the other to the fold that so far has the smallest shares of their classes (of equal
    ones, to the smallest, then the first). A video whose group is "" is a group of its own. With fewer groups than
    folds, some folds stay empty.

    Args:
        labels: (N,) integers, or (N, C) bool where videos have sets of classes, which may be empty.
        groups: the group of each video.
        folds: how many.

    Returns:
        (N,) int64: the fold of each video, in [0, `folds`), on the labels' device.

    Raises:
        ValueError: when labels and groups differ in number, or there are fewer than 2 folds.

    >>> group_folds(torch.tensor([0, 0, 1, 1]), ["a", "b", "a", "b"], 2).tolist()
    [0, 1, 0, 1]
    """
    if labels.ndim not in (1, 2) or len(labels) != len(groups) or not len(groups):
        shapes = f"({len(groups)},) or ({len(groups)}, C)"
        msg = f"labels must be {shapes} like the groups, and not empty, got {tuple(labels.shape)}"
        raise ValueError(msg)
    if folds < 2:
        msg = f"at least 2 folds are needed, got {folds}"
        raise ValueError(msg)
    index, known = number_groups(groups), labels.cpu().numpy()
    alone = labels.ndim == 1 and np.max(index) + 1 == len(index)
    fold_of = _deal_videos(known[np.argsort(index)], folds) if alone else _deal_groups(known, index, folds)
    return torch.from_numpy(fold_of[index]).to(labels.device)


def _deal_groups(labels: NDArray[Any], index: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """(G,) the fold of each group."""
    counts = _counts(labels, index)
    shares = counts / counts.sum(0)  # of each class's videos
    fold_of = np.empty(len(counts), dtype=np.int64)
    filled = np.zeros((folds, counts.shape[1]))
    sizes = np.zeros(folds)
    for group in np.argsort(-counts.std(1), kind="stable"):
        overlap = (filled @ shares[group]).round(12)  # rounded, so that equal ones tie on every machine
        best = int(np.lexsort((np.arange(folds), sizes, overlap))[0])
        fold_of[group] = best
        filled[best] += shares[group]
        sizes[best] += counts[group].sum()
    return fold_of


def _deal_videos(labels: NDArray[Any], folds: int) -> NDArray[np.int64]:
    """(N,) the fold of each video where each is a group of its own.

    They are those of `_deal_groups`. A video has one class, so that only the shares of this one count: a table of all
    groups and classes takes 2 GB for the 240,000 videos of Kinetics-400.
    """
    classes, counts = np.unique(labels, return_inverse=True, return_counts=True)[1:]
    spreads, one = np.empty(len(counts)), np.zeros(len(counts))
    for place in range(len(counts)):
        one[place] = 1
        spreads[place] = one.std()  # all equal but for rounding, which orders the classes
        one[place] = 0
    shares = (1 / counts).tolist()
    fold_of = np.empty(len(classes), dtype=np.int64)
    filled = [[0.0] * folds for _ in shares]
    sizes = [0] * folds
    for video in np.argsort(-spreads[classes], kind="stable").tolist():
        share, own = shares[classes[video]], filled[classes[video]]
        overlaps = [(round(own[fold] * share * 1e12), sizes[fold]) for fold in range(folds)]
        best = overlaps.index(min(overlaps))
        fold_of[video] = best
        own[best] += share
        sizes[best] += 1
    return fold_of


def _counts(labels: NDArray[Any], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """(G, C) videos of each group and class.

    Of sets of classes, all videos are one class more.
    """
    groups = int(np.max(index)) + 1
    if labels.ndim == 1:
        classes = np.unique(labels, return_inverse=True)[1]
        counts = np.zeros((groups, int(np.max(classes)) + 1))
        np.add.at(counts, (index, classes), 1)
        return counts
    counts = np.zeros((groups, labels.shape[1] + 1))
    np.add.at(counts, index, np.pad(labels, ((0, 0), (0, 1)), constant_values=True))
    return counts[:, counts.any(0)]
