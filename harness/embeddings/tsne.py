"""Two-dimensional t-SNE embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from harness.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST = 5
"""Fewest points of a map."""


def perplexity(count: int) -> float:
    """Perplexity for `count` points: 30, or a third of few points.

    >>> perplexity(1000), perplexity(31)
    (30.0, 10.0)
    """
    return min(30.0, (count - 1) / 3)


def tsne(vectors: NDArray[np.float32], *, seed: int) -> NDArray[np.float32]:
    """Compute the Barnes-Hut t-SNE of (N, D) float32 vectors: (N, 2) float32 places.

    It starts from the two main axes of the vectors; at random, where they have but one. The same vectors and seed give
    the same places, whatever the number of cores.

    Args:
        vectors: finite.
        seed: of the start.

    Raises:
        DataError: when there are fewer than 5 vectors, or all are the same.

    Source: van der Maaten, "Accelerating t-SNE using tree-based algorithms", JMLR 2014.
    """
    count = len(vectors)
    if count < FEWEST:
        msg = f"{count} points are too few for a map; it needs at least {FEWEST}"
        raise DataError(msg)
    if (vectors == vectors[0]).all():
        msg = f"all {count} points have the same vector, so there is nothing to map"
        raise DataError(msg)
    start = "pca" if vectors.shape[1] > 1 else "random"  # on one axis points could not pass each other
    layout = TSNE(method="barnes_hut", init=start, perplexity=perplexity(count), random_state=seed)
    with threadpool_limits(1):  # threads add up in another order, and t-SNE makes another map of the last digit
        places: NDArray[np.float32] = layout.fit_transform(vectors).astype(np.float32)
    return places
