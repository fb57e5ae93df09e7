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
    index = number_groups(groups)
    counts = _counts(labels.cpu().numpy(), index)
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
    return torch.from_numpy(fold_of[index]).to(labels.device)


def _counts(labels: NDArray[Any], index: NDArray[np.int64]) -> NDArray[np.float64]:
    """(G, C) videos of each group and class.

    Of sets of classes, all videos are one class more.
    """
    groups = index.max() + 1
    if labels.ndim == 1:
        classes = np.unique(labels, return_inverse=True)[1]
        counts = np.zeros((groups, classes.max() + 1))
        np.add.at(counts, (index, classes), 1)
        return counts
    counts = np.zeros((groups, labels.shape[1] + 1))
    np.add.at(counts, index, np.pad(labels, ((0, 0), (0, 1)), constant_values=True))
    return counts[:, counts.any(0)]
