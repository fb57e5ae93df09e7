"""Measures of rankings: average precision and discounted cumulative gain."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def average_precision(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision of rankings, the highest score first, in [0, 1].

    The mean over relevant items of the precision down to each; items of equal scores come at once, so that their order
    says nothing. 0 where nothing is relevant.

    Args:
        scores: (..., N) floating point.
        relevant: (..., N) bool.

    Returns:
        (...) float64.

    Raises:
        ValueError: as in `expect_rankings`.

    >>> average_precision(torch.tensor([0.9, 0.8, 0.7, 0.1]), torch.tensor([True, False, True, False])).item()
    0.8333333333333333
    >>> average_precision(torch.zeros(4), torch.tensor([True, False, False, False])).item()
    0.25
    """
    expect_rankings(scores, relevant)
    ordered, order = scores.sort(dim=-1, descending=True)
    hits = relevant.gather(-1, order)
    found, ends = hits.cumsum(-1), tie_ends(ordered)
    precision = found.gather(-1, ends).to(torch.float64) / (ends + 1)
    return (precision * hits).sum(-1) / found[..., -1].clamp(min=1)


def average_precision_of_items(scores: Tensor, items: Tensor) -> Tensor:
    """Average precision of rankings of which a few items are relevant.

    What `average_precision` gives, several times as fast: scores are sorted alone, and only relevant ones are counted.

    Args:
        scores: (M, N) floating point without NaN; an item of -infinity is no part of the ranking.
        items: (M, R) int64 positions of the relevant ones; a negative one stands for none.

    Returns:
        (M,) float64.

    >>> average_precision_of_items(torch.tensor([[0.9, 0.8, 0.7, 0.1]]), torch.tensor([[2, 0, -1]])).tolist()
    [0.8333333333333333]
    """
    found = scores.gather(1, items.clamp(min=0)).masked_fill_(items < 0, -torch.inf).sort(dim=1).values
    at_least = [row.shape[1] - torch.searchsorted(row, found) for row in (found, _sorted(scores))]
    part = found > -torch.inf
    return (at_least[0].to(torch.float64) / at_least[1] * part).sum(1) / part.sum(1).clamp(min=1)


def average_precision_influence(scores: Tensor, relevant: Tensor) -> Tensor:
    """Derivative of the average precision by the weight of each item.

    (N,) float64 for one ranking: scores (N,), relevant (N,) bool with an item that is. They sum to 0, because equal
    weights of all items change nothing.

    Errors as in `average_precision`.

    >>> influence = average_precision_influence(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([True, False, True]))
    >>> [round(value, 4) for value in influence.tolist()]
    [0.1389, -0.1111, -0.0278]
    """
    expect_rankings(scores, relevant)
    ordered, order = scores.sort(descending=True)
    hits = relevant[order]
    ends = tie_ends(ordered)
    found = hits.cumsum(0).gather(0, ends).to(torch.float64)
    shown = (ends + 1).to(torch.float64)
    count = hits.sum().to(torch.float64)
    average = (found / shown * hits).sum() / count
    # An item is shown at its own threshold and at all lower ones, whose precisions it raises or lowers.
    raised, lowered = (part / shown.square() * hits for part in (shown - found, found))
    starts = len(scores) - 1 - tie_ends(ordered.flip(0)).flip(0)
    below = [part.flip(0).cumsum(0).flip(0)[starts] / count for part in (raised, lowered)]
    influence = torch.where(hits, (found / shown - average) / count + below[0], -below[1])
    return torch.empty_like(influence).scatter_(0, order, influence)


def ndcg(relevant: Tensor, total: Tensor) -> Tensor:
    """Normalised discounted cumulative gain of the first K items, in [0, 1].

    A relevant item at rank r gains 1 / log2(r + 1); the sum is divided by that of the best order. 0 where nothing is
    relevant.

    Args:
        relevant: (..., K) bool, in the order of the ranking.
        total: (...) relevant items of the whole ranking.

    Returns:
        (...) float64.

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002, with the
    discount log2(r + 1).

    >>> round(ndcg(torch.tensor([False, True, True]), torch.tensor(2)).item(), 4)
    0.6934
    """
    gains = _discounts(relevant)
    gain = (relevant * gains).cumsum(-1)[..., -1]  # added up as the best one is, so that equal orders are equal numbers
    return gain / _best(gains, total)


def chance_of_average_precision(relevant: Tensor, size: int) -> Tensor:
    """Expected average precision of a random order of `size` items.

    (N,) float64 for `relevant` (N,), the numbers of relevant ones. An item is at each rank r with equal chance, and of
    the r - 1 before it a share (relevant - 1) / (size - 1) is relevant.

    >>> chance_of_average_precision(torch.tensor([0, 1, 2]), size=2).tolist()
    [0.0, 0.75, 1.0]
    """
    ranks = torch.arange(1, size + 1, dtype=torch.float64, device=relevant.device)
    harmonic = ranks.reciprocal().sum()
    share = (relevant - 1).to(torch.float64) / max(size - 1, 1)
    return (harmonic + share * (size - harmonic)) / size * (relevant > 0)


def chance_of_ndcg(relevant: Tensor, size: int, k: int) -> Tensor:
    """Expected NDCG of the first `k` of a random order of `size` items.

    (N,) float64 for `relevant` (N,), the numbers of relevant ones.

    >>> chance_of_ndcg(torch.tensor([0, 4]), size=4, k=2).tolist()
    [0.0, 1.0]
    """
    gains = _discounts(torch.ones(min(k, size), device=relevant.device))
    return gains.cumsum(0)[-1] * relevant / size / _best(gains, relevant)


def tie_ends(scores: Tensor) -> Tensor:
    """Last position of the equal scores around each position of sorted (..., N).

    >>> tie_ends(torch.tensor([3.0, 2.0, 2.0, 1.0])).tolist()
    [0, 2, 2, 3]
    """
    size = scores.shape[-1]
    places = torch.arange(size, device=scores.device)
    last = torch.ones_like(scores, dtype=torch.bool)
    last[..., :-1] = scores[..., 1:] != scores[..., :-1]
    if bool(last.all()):
        return places.expand(scores.shape)
    return torch.where(last, places, size).flip(-1).cummin(-1).values.flip(-1)


def expect_rankings(scores: Tensor, relevant: Tensor) -> None:
    """Expect scores and relevance of the same items.

    Raises:
        ValueError: when shapes differ, there is no item, `relevant` is not bool, or a score is NaN.
    """
    if scores.shape != relevant.shape or not scores.numel() or relevant.dtype != torch.bool:
        shapes = f"{tuple(scores.shape)} and {tuple(relevant.shape)} {relevant.dtype}"
        msg = f"scores and relevant must be (..., N) of equal shape, relevant bool, got {shapes}"
        raise ValueError(msg)
    if bool(scores.isnan().any()):
        msg = "scores must not be NaN"
        raise ValueError(msg)


def _sorted(scores: Tensor) -> Tensor:
    """Scores (M, N) in ascending order."""
    if scores.device.type == "cpu":  # NumPy sorts values alone by vector instructions: four times as fast
        return torch.from_numpy(np.sort(scores.numpy(), axis=1))
    return scores.sort(dim=1).values


def _discounts(ranks: Tensor) -> Tensor:
    """(K,) float64 gains of ranks 1 to K, the length of the last axis."""
    return torch.arange(2, ranks.shape[-1] + 2, dtype=torch.float64, device=ranks.device).log2().reciprocal()


def _best(gains: Tensor, total: Tensor) -> Tensor:
    """Gain of the best order of (...) relevant items; 1 where there is none."""
    sums = torch.cat([gains.new_ones(1), gains.cumsum(0)])
    return sums[total.clamp(max=len(gains))]
