"""Validation folds inside a training split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from harness.functional.numbering import number


def group_folds(labels: Tensor, groups: Sequence[str], folds: int) -> Tensor:
    """Deal videos into folds, no group in two of them, the classes spread evenly.

    Greedy and without chance: the groups, those of the most unequal class counts first (equal ones in the order of
    their names), go one after the other to the fold that so far has the smallest shares of their classes (of equal
    ones, to the smallest, then the first). A video whose group is "" is a group of its own. With fewer groups than
    folds, some folds stay empty.

    Args:
        labels: (N,) integers.
        groups: the group of each video.
        folds: how many.

    Returns:
        (N,) int64: the fold of each video, in [0, `folds`), on the labels' device.

    Raises:
        ValueError: when labels and groups differ in number, or there are fewer than 2 folds.

    >>> group_folds(torch.tensor([0, 0, 1, 1]), ["a", "b", "a", "b"], 2).tolist()
    [0, 1, 0, 1]
    """
    if folds < 2:
        msg = f"at least 2 folds are needed, got {folds}"
        raise ValueError(msg)
    classes, index = number(labels, groups)
    counts = np.zeros((index.max() + 1, classes.max() + 1))
    np.add.at(counts, (index, classes), 1)
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
