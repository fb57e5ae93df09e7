"""Cosine similarities of queries to a whole gallery, a block of queries at a time."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from harness.functional.finite import all_finite
from harness.functional.product import product

_ELEMENTS = 2**22  # of the block of similarities that is held at a time: caches hold much of it
_ROWS = 256  # at least: fewer queries would not be worth reading a large gallery for


def similarity_blocks(gallery: Tensor, queries: Tensor | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Compute the cosine similarity of each query to each point of the gallery.

    That to a zero vector is 0. Memory is linear in the number of points.

    Args:
        gallery: (N, D) floating point.
        queries: (M, D); None asks for every point of the gallery, whose similarity to itself is then -infinity.

    Yields:
        Positions of m queries, and their similarities (m, N) of the gallery's type.

    Raises:
        ValueError: when shapes do not fit, or a value is not finite.

    >>> gallery = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> [block.tolist() for _, block in similarity_blocks(gallery, torch.tensor([[2.0, 0.0]]))]
    [[[1.0, 0.0]]]
    >>> [block.tolist() for _, block in similarity_blocks(gallery)]
    [[[-inf, 0.0], [0.0, -inf]]]
    """
    sources = gallery if queries is None else queries
    if gallery.ndim != 2 or sources.ndim != 2 or sources.shape[1] != gallery.shape[1] or not len(sources):
        msg = f"gallery and queries must be (N, D) and (M, D), got {tuple(gallery.shape)} and {tuple(sources.shape)}"
        raise ValueError(msg)
    if not all_finite(gallery) or not all_finite(sources):
        msg = "gallery and queries must be finite"
        raise ValueError(msg)
    targets = F.normalize(gallery, dim=1)
    sources = targets if queries is None else F.normalize(sources, dim=1)
    step = max(_ROWS, _ELEMENTS // max(1, len(targets)))
    for start in range(0, len(sources), step):
        rows = slice(start, min(start + step, len(sources)))
        block = product(sources[rows], targets.mT)
        if queries is None:
            block.diagonal(start).fill_(-torch.inf)
        yield rows, block
