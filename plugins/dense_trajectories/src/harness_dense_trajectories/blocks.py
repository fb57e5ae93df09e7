"""How many rows are worked on at a time, so that memory does not grow with their number."""

from __future__ import annotations

from collections.abc import Iterator

import torch

_CPU = 2**20
"""Elements of a block that caches still hold."""
_ACCELERATOR = 2**26
"""Elements of a block that keeps a device busy."""


def block_rows(width: int, device: torch.device) -> int:
    """How many rows of `width` elements make a block on `device`; at least 1.

    >>> block_rows(256, torch.device("cpu"))
    4096
    """
    return max(1, (_CPU if device.type == "cpu" else _ACCELERATOR) // max(1, width))


def blocks(rows: int, width: int, device: torch.device) -> Iterator[slice]:
    """The slices that cut `rows` rows into as few blocks as needed, of equal lengths up to 1.

    >>> list(blocks(5000, 256, torch.device("cpu")))
    [slice(0, 2500, None), slice(2500, 5000, None)]
    """
    count = -(-rows // block_rows(width, device))
    for number in range(count):
        yield slice(rows * number // count, rows * (number + 1) // count)
