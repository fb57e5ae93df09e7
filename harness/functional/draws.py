"""Draws of training videos for few-shot protocols."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from harness.functional.numbering import number


def draw_ranks(labels: Tensor, groups: Sequence[str], draws: int, seed: int) -> Tensor:
    """Rank of each video within its class, in each of R draws.

    (R, N) int64 on the labels' device.

    The n-shot videos of a draw are those of rank below n, so draws are balanced, and nested over n. Within a class
    the videos come in random order, but no group gives a second video before each has given one, and so on. A
    video whose group is "" is a group of its own. The draws depend on labels, groups and seed alone, so all encoders
    get the same.

    Args:
        labels: (N,) integers.
        groups: the group of each video.
        draws: R.
        seed: not negative.

    Raises:
        ValueError: when labels and groups differ in number, or there is no draw.

    >>> ranks = draw_ranks(torch.tensor([0, 0, 0, 1]), ["a", "a", "b", "c"], draws=3, seed=0)
    >>> ranks.sort(1).values.tolist()
    [[0, 0, 1, 2], [0, 0, 1, 2], [0, 0, 1, 2]]
    >>> bool((ranks[:, 0] + ranks[:, 1] >= 2).all())  # the two videos of group a are never the first two
    True
    """
    if draws < 1:
        msg = f"at least one draw is needed, got {draws}"
        raise ValueError(msg)
    classes, names = number(labels, groups)
    # Raw numbers, because NumPy keeps their stream for ever, which it does not promise of a Generator's methods.
    uniform = np.random.PCG64(seed).random_raw((draws * 2) * len(groups)).reshape(draws, 2, len(groups))
    ranks = np.empty((draws, len(groups)), dtype=np.int64)
    for row, (videos, of_groups) in zip(ranks, uniform, strict=True):
        turn = _places((videos, names, classes))  # a video's place within its group and class
        row[:] = _places((of_groups[names], turn, classes), within=1)
    return torch.from_numpy(ranks).to(labels.device)


def _places(keys: tuple[np.ndarray, ...], within: int = 2) -> np.ndarray:
    """(N,) rank of each element by its first keys among those with equal last keys.

    The last `within` keys are compared.
    """
    order = np.lexsort(keys)
    parts = np.stack([key[order] for key in keys[len(keys) - within :]])
    starts = np.flatnonzero(np.concatenate([[True], (parts[:, 1:] != parts[:, :-1]).any(0)]))
    sizes = np.diff(np.append(starts, len(order)))
    places = np.empty(len(order), dtype=np.int64)
    places[order] = np.arange(len(order)) - np.repeat(starts, sizes)
    return places
