"""Rows of a tensor, cut into blocks that fit memory or sets of several sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

_CPU = 2**20
"""Elements of a block that caches still hold."""
_ACCELERATOR = 2**26
"""Elements of a block that keeps a device busy."""


def blocks(rows: int, width: int, device: torch.device) -> Iterator[slice]:
    """Cut rows of `width` elements into few blocks, of equal lengths up to 1.

    >>> list(blocks(5000, 256, torch.device("cpu")))
    [slice(0, 2500, None), slice(2500, 5000, None)]
    """
    most = max(1, (_CPU if device.type == "cpu" else _ACCELERATOR) // max(1, width))
    count = -(-rows // most)
    for number in range(count):
        yield slice(rows * number // count, rows * (number + 1) // count)


def offsets(lengths: Sequence[int]) -> Tensor:
    """Offsets (V + 1,) int64 of sets of rows, one after another.

    Set v has the rows from `offsets[v]` to before `offsets[v + 1]`.

    >>> offsets([2, 0, 3])
    tensor([0, 2, 2, 5])
    """
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)


def check_segments(segments: Tensor, rows: int) -> None:
    """Refuse anything but the offsets of V >= 0 sets that together have `rows` rows.

    Raises:
        ValueError: when `segments` is not (V + 1,) int64, does not go from 0 to `rows`, or decreases.
    """
    if segments.ndim != 1 or not len(segments) or segments.dtype != torch.int64:
        msg = f"segments must be (V + 1,) int64, got {tuple(segments.shape)} {segments.dtype}"
        raise ValueError(msg)
    if segments[0] != 0 or segments[-1] != rows or bool((segments.diff() < 0).any()):
        msg = f"segments must go up from 0 to the {rows} rows, got {segments[0]} to {segments[-1]}"
        raise ValueError(msg)
