"""Statistics of all videos but one, and what each video adds to a statistic."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.functional.class_scores import present_classes
from harness.functional.ranking import average_precision, expect_rankings, tie_ends

AT_ONCE = 2**22
"""Scores whose rankings are taken apart at once: each needs about 200 bytes."""


def jackknife_values(whole: Tensor, without: Tensor) -> Tensor:
    """Values of N videos whose mean is a statistic, and whose spread tells its error.

    A video's value is the statistic plus (N - 1) times the mean statistic without a video less that without this one,
    so that the variance of the values' mean is the jackknife's variance of the statistic (but for N / (N - 1)), and
    resampling the values resamples the statistic to first order. A video without which the statistic is unknown gets
    the statistic, as if it changed nothing, so that the spread is too small then.

    Args:
        whole: the statistic of all videos, a scalar.
        without: (N,) statistic without each video, NaN where unknown.

    Returns:
        (N,) float64.

    Source: Efron and Stein, "The jackknife estimate of variance", 1981.

    >>> numbers = torch.tensor([1.0, 2.0, 6.0], dtype=torch.float64)  # of a mean, they are the numbers themselves
    >>> jackknife_values(numbers.mean(), (numbers.sum() - numbers) / 2).tolist()
    [1.0, 2.0, 6.0]
    """
    rest = without.to(torch.float64)
    known = int((~rest.isnan()).sum())
    return whole + ((known - 1) * (rest.nanmean() - rest)).nan_to_num(nan=0.0)


def average_precision_without(scores: Tensor, relevant: Tensor) -> Tensor:
    """Average precision of the other items, for each item left out.

    What `harness.functional.ranking.average_precision` gives for rankings of N - 1 items, all at once from sorted
    scores: an item is shown at its own threshold and at all lower ones, whose precisions change without it.

    Args:
        scores: (..., N) floating point.
        relevant: (..., N) bool.

    Returns:
        (..., N) float64; 0 where nothing else is relevant.

    Raises:
        ValueError: as in `harness.functional.ranking.expect_rankings`.

    >>> average_precision_without(torch.tensor([0.9, 0.8, 0.7]), torch.tensor([True, False, True])).tolist()
    [0.5, 1.0, 1.0]
    """
    expect_rankings(scores, relevant)
    ordered, order = scores.sort(dim=-1, descending=True)
    hits = relevant.gather(-1, order)
    ends = tie_ends(ordered)
    starts = scores.shape[-1] - 1 - tie_ends(ordered.flip(-1)).flip(-1)
    found = hits.cumsum(-1).gather(-1, ends).to(torch.float64)
    shown = (ends + 1).to(torch.float64)
    fewer = (shown - 1).clamp(min=1)  # 0 for a single first item alone, whose own part is taken away
    kept, of_miss, of_hit = (part * hits for part in (found / shown, found / fewer, (found - 1) / fewer))
    changed = torch.where(hits, _from(of_hit, starts) - of_hit, _from(of_miss, starts))
    before = torch.cat([torch.zeros_like(kept[..., :1]), kept.cumsum(-1)[..., :-1]], -1).gather(-1, starts)
    count = hits.sum(-1, keepdim=True) - hits.to(torch.int64)
    without = torch.where(count > 0, (before + changed) / count.clamp(min=1), 0.0)
    return torch.empty_like(without).scatter_(-1, order, without)


def mean_average_precision_values(scores: Tensor, membership: Tensor) -> Tensor:
    """Jackknife values of N videos for the mean average precision over classes.

    A class of which no video is left without one does not count there.

    Args:
        scores: (N, C) floating point.
        membership: (N, C) bool, the classes of each video.

    Returns:
        (N,) float64, whose mean is `harness.functional.class_scores.mean_average_precision`.

    Raises:
        ValueError: when shapes do not fit, no video has a class, or a score is NaN.

    >>> classes = torch.tensor([[True], [False], [True]])
    >>> mean_average_precision_values(torch.tensor([[0.9], [0.8], [0.7]]), classes).tolist()
    [1.5, 0.5, 0.5]
    """
    present = present_classes(scores, membership).nonzero().flatten()
    whole = scores.new_zeros((), dtype=torch.float64)
    left, counts = (scores.new_zeros(len(scores), dtype=torch.float64) for _ in range(2))
    for some in torch.split(present, max(AT_ONCE // len(scores), 1)):
        ranked, own = scores.mT[some], membership.mT[some]
        others = own.sum(1, keepdim=True) - own.to(torch.int64) > 0
        whole += average_precision(ranked, own).sum()
        left += (average_precision_without(ranked, own) * others).sum(0)
        counts += others.sum(0)
    return jackknife_values(whole / len(present), left / counts)  # 0 / 0 is NaN: where no class has another


def _from(parts: Tensor, starts: Tensor) -> Tensor:
    """Sums of `parts` (..., N) from each of `starts` to the end."""
    return parts.flip(-1).cumsum(-1).flip(-1).gather(-1, starts)
