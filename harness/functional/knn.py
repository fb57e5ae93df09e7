"""Nearest neighbours by cosine similarity, with a weighted vote."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_ELEMENTS = 2**24  # of the block of similarities that is held at a time


def knn(gallery: Tensor, labels: Tensor, queries: Tensor | None = None, *, k: int, temperature: float = 0.07) -> Tensor:
    """The class of each query by the votes of its `k` most similar points of the gallery.

    A neighbour of cosine similarity s votes for its class with weight exp(s / temperature); equal votes go to the
    lower class. The similarity to a zero vector is 0. The cost in memory is linear in the number of points.

    Args:
        gallery: (N, D) floating point.
        labels: (N,) int64 classes, not negative.
        queries: (M, D); None asks for every point of the gallery with that point itself left out.
        k: neighbours that vote.
        temperature: positive; a small one lets the nearest decide.

    Returns:
        (M,) int64 classes.

    Raises:
        ValueError: when shapes do not fit, a value is not finite, a label is negative, the temperature is not
            positive, or k is not between 1 and the number of points a query may choose from.

    Source: Wu et al., "Unsupervised feature learning via non-parametric instance discrimination", CVPR 2018,
    section 3.4.

    >>> gallery, labels = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]]), torch.tensor([0, 0, 1])
    >>> knn(gallery, labels, torch.tensor([[2.0, 0.1], [0.1, 5.0]]), k=1).tolist()
    [0, 1]
    >>> knn(gallery, labels, k=1).tolist()
    [0, 0, 0]
    """
    _check(gallery, labels, queries, k, temperature)
    targets = F.normalize(gallery, dim=1)
    sources = targets if queries is None else F.normalize(queries, dim=1)
    votes = F.one_hot(labels).to(gallery)  # (N, C)
    step = max(1, _ELEMENTS // max(len(gallery), k * votes.shape[1]))
    return torch.cat(
        [
            _vote(sources[start : start + step] @ targets.mT, votes, k, temperature, start if queries is None else None)
            for start in range(0, len(sources), step)
        ]
    )


def _vote(similarities: Tensor, votes: Tensor, k: int, temperature: float, own: int | None) -> Tensor:
    """(n,) classes from similarities (n, N); `own` is the gallery's index of the first query, when it is in there."""
    if own is not None:
        similarities.diagonal(own).fill_(-torch.inf)
    nearest, index = similarities.topk(k, dim=1)
    weights = ((nearest - nearest[:, :1]) / temperature).exp()  # relative to the nearest: no overflow
    return torch.einsum("nk,nkc->nc", weights, votes[index]).argmax(1)


def _check(gallery: Tensor, labels: Tensor, queries: Tensor | None, k: int, temperature: float) -> None:
    sources = gallery if queries is None else queries
    if gallery.ndim != 2 or sources.ndim != 2 or sources.shape[1] != gallery.shape[1] or not len(sources):
        msg = f"gallery and queries must be (N, D) and (M, D), got {tuple(gallery.shape)} and {tuple(sources.shape)}"
        raise ValueError(msg)
    if labels.shape != gallery.shape[:1] or labels.dtype != torch.int64 or bool((labels < 0).any()):
        msg = f"labels must be ({len(gallery)},) int64 and not negative, got {tuple(labels.shape)} {labels.dtype}"
        raise ValueError(msg)
    if not bool(torch.isfinite(gallery).all() and torch.isfinite(sources).all()):
        msg = "gallery and queries must be finite"
        raise ValueError(msg)
    most = len(gallery) - (queries is None)
    if not 1 <= k <= most:
        msg = f"k must be between 1 and {most}, got {k}"
        raise ValueError(msg)
    if not temperature > 0:
        msg = f"temperature must be positive, got {temperature}"
        raise ValueError(msg)
