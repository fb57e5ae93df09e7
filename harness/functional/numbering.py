"""Number the classes and the groups of videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor


class Numbers(NamedTuple):
    """Classes and groups of N videos as numbers from 0 without gaps."""

    classes: NDArray[np.int64]
    """(N,) in the order of the labels."""
    groups: NDArray[np.int64]
    """(N,) in the order of the groups' names.

    A video whose group is "" has a number of its own.
    """


def number(labels: Tensor, groups: Sequence[str]) -> Numbers:
    """Number the classes and the groups of videos.

    Args:
        labels: (N,) integers.
        groups: the group of each video.

    Raises:
        ValueError: when labels and groups differ in number, or there are none.

    >>> import torch
    >>> numbers = number(torch.tensor([7, 7, 3]), ["b", "", "b"])
    >>> numbers.classes.tolist(), numbers.groups.tolist()
    ([1, 1, 0], [1, 0, 1])
    """
    if labels.shape != (len(groups),) or not len(groups):
        msg = f"labels must be ({len(groups)},) like the groups, and not empty, got {tuple(labels.shape)}"
        raise ValueError(msg)
    return Numbers(np.unique(labels.cpu().numpy(), return_inverse=True)[1], number_groups(groups))


def number_groups(groups: Sequence[str]) -> NDArray[np.int64]:
    """(N,) numbers of the groups of videos, in the order of their names.

    A video whose group is "" has a number of its own.

    >>> number_groups(["b", "", "b"]).tolist()
    [1, 0, 1]
    """
    names = [group or f"\0{position}" for position, group in enumerate(groups)]
    return np.unique(names, return_inverse=True)[1]
