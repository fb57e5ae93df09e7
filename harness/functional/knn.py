"""Nearest neighbours by cosine similarity, and their weighted vote."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.largest import largest
from harness.functional.similarities import similarity_blocks

_VOTE = 2**40
"""The whole vote of a neighbour."""


def nearest(gallery: Tensor, queries: Tensor | None = None, *, k: int) -> tuple[Tensor, Tensor]:
    """Find the `k` most similar points of the gallery, the most similar first.

    The similarity to a zero vector is 0. The cost in memory is linear in the number of points.

    Args:
        gallery: (N, D) floating point.
        queries: (M, D); None asks for every point of the gallery with that point itself left out.
        k: neighbours.

    Returns:
        Cosine similarities (M, k) of the gallery's type, and indices into the gallery (M, k) int64.

    Raises:
        ValueError: when shapes do not fit, a value is not finite, or k is not between 1 and the number of points a
            query may choose from.

    >>> gallery = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
    >>> similarities, index = nearest(gallery, torch.tensor([[2.0, 0.0]]), k=2)
    >>> index.tolist(), [[round(s, 4) for s in row] for row in similarities.tolist()]
    ([[0, 1]], [[1.0, 0.6]])
    >>> nearest(gallery, k=1)[1].tolist()
    [[1], [2], [1]]
    """
    most = len(gallery) - (queries is None)
    if not 1 <= k <= most:
        msg = f"k must be between 1 and {most}, got {k}"
        raise ValueError(msg)
    parts = [largest(block, k) for _, block in similarity_blocks(gallery, queries)]
    values, index = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
    return values, index


def vote(similarities: Tensor, labels: Tensor, *, temperature: float = 0.07) -> Tensor:
    """Classify each query by the votes of its neighbours.

    A neighbour of similarity s votes for its class with weight exp(s / temperature); equal votes go to the lower class.

    Args:
        similarities: (M, k) of each query's neighbours.
        labels: (M, k) int64, their classes, not negative.
        temperature: positive; a small one lets the nearest decide.

    Returns:
        (M,) int64 classes.

    Raises:
        ValueError: when shapes differ, a label is negative, or the temperature is not positive.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018,
    section 3.4.

    >>> vote(torch.tensor([[1.0, 0.99, 0.99]]), torch.tensor([[0, 1, 1]])).tolist()
    [1]
    """
    return _ballots(similarities, labels, temperature, int(labels.max()) + 1 if labels.numel() else 0).argmax(1)


def vote_shares(similarities: Tensor, labels: Tensor, *, classes: int, temperature: float = 0.07) -> Tensor:
    """Shares of the classes in the votes of each query's neighbours.

    Votes and errors as in `vote`.

    Args:
        similarities: (M, k) of each query's neighbours.
        labels: (M, k) int64, their classes.
        classes: C, all that there are.
        temperature: positive.

    Returns:
        (M, C) float64, of which each row sums to 1.

    >>> vote_shares(torch.tensor([[1.0, 1.0, 1.0, 1.0]]), torch.tensor([[0, 1, 1, 1]]), classes=3).tolist()
    [[0.25, 0.75, 0.0]]
    """
    ballots = _ballots(similarities, labels, temperature, classes).to(torch.float64)
    return ballots / ballots.sum(1, keepdim=True)


def _ballots(similarities: Tensor, labels: Tensor, temperature: float, classes: int) -> Tensor:
    """Votes (M, C) int64 for each class; errors as in `vote`."""
    if similarities.ndim != 2 or labels.shape != similarities.shape or not labels.numel():
        shapes = f"{tuple(similarities.shape)} and {tuple(labels.shape)}"
        msg = f"similarities and labels must both be (M, k), got {shapes}"
        raise ValueError(msg)
    if labels.dtype != torch.int64 or bool((labels < 0).any()):
        msg = f"labels must be int64 and not negative, got {labels.dtype}"
        raise ValueError(msg)
    if not temperature > 0:
        msg = f"temperature must be positive, got {temperature}"
        raise ValueError(msg)
    # Relative to the nearest, so that no power overflows; as integers, whose sum does not depend on the order.
    weights = ((similarities - similarities.amax(1, keepdim=True)) / temperature).exp()
    votes = (weights.to(torch.float64) * _VOTE).long()
    return votes.new_zeros(len(labels), classes).scatter_add_(1, labels, votes)
