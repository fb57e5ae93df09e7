"""Sets of different sizes in one tensor: their rows one after another, and the offsets where each set begins."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def offsets(lengths: Sequence[int]) -> Tensor:
    """(V + 1,) int64: set v has the rows from `offsets[v]` to before `offsets[v + 1]`.

    >>> offsets([2, 0, 3])
    tensor([0, 2, 2, 5])
    """
    return torch.tensor([0, *lengths], dtype=torch.int64).cumsum(0)


def check_segments(segments: Tensor, rows: int) -> None:
    """Refuse what are not the offsets of V >= 0 sets that together have `rows` rows.

    Raises:
        ValueError: when `segments` is not (V + 1,) int64, does not go from 0 to `rows`, or decreases.
    """
    if segments.ndim != 1 or not len(segments) or segments.dtype != torch.int64:
        msg = f"segments must be (V + 1,) int64, got {tuple(segments.shape)} {segments.dtype}"
        raise ValueError(msg)
    if segments[0] != 0 or segments[-1] != rows or bool((segments.diff() < 0).any()):
        msg = f"segments must go up from 0 to the {rows} rows, got {segments[0]} to {segments[-1]}"
        raise ValueError(msg)
