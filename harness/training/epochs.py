"""Videos of a training step, when an epoch shows every video once."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from harness.system.seeding import derive_seed


def epoch_videos(count: int, size: int, step: int, *, seed: int, rank: int = 0, world: int = 1) -> Tensor:
    """Positions (size,) int64 of the videos that a process is shown in a step.

    Each epoch has an order of its own, drawn from the seed; one epoch follows the other, also within a batch. A step
    takes the next `size * world` videos, and each process its part of them.

    Args:
        count: videos of the split.
        size: videos of one process.
        step: number of the step, from 0.
        seed: of the fit.
        rank: number of the process.
        world: number of processes.

    Raises:
        ValueError: when a number is out of range.

    >>> first, second = (epoch_videos(5, 2, 0, seed=0, rank=rank, world=2) for rank in (0, 1))
    >>> sorted([*first.tolist(), *second.tolist(), *epoch_videos(5, 4, 1, seed=0).tolist()[:1]])
    [0, 1, 2, 3, 4]
    """
    if min(count, size, world) < 1 or not 0 <= rank < world or step < 0:
        got = f"{count}, {size}, {world}, {rank}, {step}"
        msg = f"expected count, size and world of at least 1, rank below world and step from 0, got {got}"
        raise ValueError(msg)
    start = (step * world + rank) * size
    stop = start + size
    parts = []
    for epoch in range(start // count, (stop - 1) // count + 1):
        begin = epoch * count
        parts.append(_order(count, seed, epoch)[max(0, start - begin) : stop - begin])
    return torch.cat(parts)


@functools.lru_cache(maxsize=4)
def _order(count: int, seed: int, epoch: int) -> Tensor:
    """Random order of an epoch's videos, (count,) int64."""
    return torch.randperm(count, generator=torch.Generator().manual_seed(derive_seed(seed, epoch)))
