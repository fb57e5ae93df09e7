"""Confidence intervals, paired tests, Holm's correction and rank ranges.

Videos of one group show one scene, so the groups are what was sampled independently. They are drawn with
replacement, and the statistic is computed on every draw. Its spread gives a standard error, and t quantiles the
interval. Percentiles of the draws are not used: they sit off centre for every statistic that is biased in small
samples (a conditional entropy falls when groups repeat), whereas the spread does not care about the centre.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import stats

from harness.cards import Metric
from harness.functional.statistics import of_predictions
from harness.values import Predictions

Array = NDArray[np.float64]

Carries = Literal["groups and seeds", "groups", "seeds"]

DRAWS = 2000
SEED = 0


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean over seeds with its 95 % interval; without ends where that is unknown."""

    mean: float
    low: float | None = None
    high: float | None = None
    carries: Carries | None = None
    """Sources of variation that the interval covers."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference of two rows: 95 % interval, two-sided p-value of no difference."""

    mean: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A statistic of each seed, on the test set and on bootstrap draws of its groups.

    Subtracting two samples of the same draws gives the sample of the paired difference.

    Raises:
        ValueError: when samples of different shapes are subtracted.
    """

    observed: Array
    """(S,): one value a seed, the mean over its repeats."""
    drawn: Array
    """(S, B): the same for every draw of groups.

    All seeds and rows see the same draws. NaN where a draw has no video that the metric counts.
    """
    groups: int
    """Number of groups of the videos that the metric counts."""

    def __sub__(self, other: Sample) -> Sample:
        if self.drawn.shape != other.drawn.shape or self.groups != other.groups:
            shapes = f"{self.drawn.shape} of {self.groups} groups and {other.drawn.shape} of {other.groups}"
            msg = f"expected samples of the same seeds, draws and groups, got {shapes}"
            raise ValueError(msg)
        return Sample(self.observed - other.observed, self.drawn - other.drawn, self.groups)


def group_weights(groups: Sequence[str], draws: int = DRAWS, seed: int = SEED) -> Array:
    """Draw as many groups as there are, with replacement: (B, N) counts by video.

    >>> weights = group_weights(["a", "a", "b"], draws=5)
    >>> weights.shape, bool((weights[:, 0] == weights[:, 1]).all()), set((weights[:, 0] + weights[:, 2]).tolist())
    ((5, 3), True, {2.0})
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    # NumPy keeps the streams of bit generators for ever, those of Generator's methods not; boards must not change.
    raw = np.random.PCG64(seed).random_raw(draws * len(names)).reshape(draws, len(names))
    picked = ((raw >> np.uint64(11)).astype(np.float64) * 2.0**-53 * len(names)).astype(np.int64)
    flat = picked + len(names) * np.arange(draws)[:, None]
    counts = np.bincount(flat.ravel(), minlength=draws * len(names)).reshape(draws, len(names))
    return counts[:, member].astype(np.float64)


def resample(seeds: Sequence[Predictions], metric: Metric, weights: Array) -> Sample:
    """Compute the statistic of each seed on the test set and on every draw.

    Args:
        seeds: the predictions of one row's seeds, for the same videos in the same order.
        metric: names the statistic.
        weights: (B, N) of `group_weights`.

    Raises:
        ValueError: when the seeds' videos, groups or labels differ, `weights` has another number of videos, or the
            predictions are not what the statistic needs.
    """
    first = seeds[0]
    for other in seeds[1:]:
        if (other.videos, other.groups, other.labels) != (first.videos, first.groups, first.labels):
            msg = "expected predictions for the same videos in the same order from each seed of a row, got others"
            raise ValueError(msg)
    if weights.shape[1] != len(first.videos):
        msg = f"expected weights for {len(first.videos)} videos, got {weights.shape[1]}"
        raise ValueError(msg)
    draws = torch.from_numpy(weights)
    with _one_thread():
        observed = [of_predictions(run, metric).mean().numpy() for run in seeds]
        drawn = [of_predictions(run, metric, draws).mean(dim=0).numpy() for run in seeds]
    # Rounded, so that equal predictions differ by exactly 0 on every machine.
    return Sample(np.round(np.stack(observed), 12), np.round(np.stack(drawn), 12), len(_groups(seeds, metric)))


def _groups(seeds: Sequence[Predictions], metric: Metric) -> set[str]:
    """Groups of the videos that the metric counts in some seed."""
    groups = seeds[0].groups
    if metric.statistic != "mean":
        return set(groups)
    rows = [row for run in seeds for row in run.values[metric.id]]
    return {group for group, *values in zip(groups, *rows, strict=True) if any(value is not None for value in values)}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Sum in one order on every machine; tensors this small are faster so, too."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def spread(sample: Sample) -> tuple[float, float]:
    """Standard error of the mean over seeds, and Satterthwaite's degrees of freedom.

    Seeds and groups are crossed: every seed is measured on every group. The variance over draws of the mean
    over seeds is the groups' part, the variance between seeds the seeds' part; what a seed does on a group by
    chance is in both, so the sum errs on the wide side. The bootstrap's variance of G groups is too small by (G
    - 1) / G and is scaled up.

    Raises:
        ValueError: with fewer than 2 groups and fewer than 2 seeds nothing is known of the spread.
    """
    seeds, groups = len(sample.observed), sample.groups
    if groups < 2 and seeds < 2:
        msg = f"the spread is unknown: expected at least 2 seeds or 2 groups, got {seeds} and {groups}"
        raise ValueError(msg)
    over_groups = float(np.nanvar(sample.drawn.mean(axis=0))) * groups / (groups - 1) if groups > 1 else 0.0
    over_seeds = float(sample.observed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    variance = over_groups + over_seeds
    if variance == 0:
        return 0.0, float(max(groups, seeds) - 1)
    parts = [(over_groups, groups - 1), (over_seeds, seeds - 1)]
    freedom = variance**2 / sum(part**2 / free for part, free in parts if free > 0)
    return float(np.sqrt(variance)), freedom


def interval(sample: Sample, bounds: tuple[float | None, float | None] = (None, None)) -> Interval:
    """Mean over seeds with the 95 % interval for new seeds on new groups."""
    mean = float(sample.observed.mean())
    seeds, groups = len(sample.observed), sample.groups
    if groups < 2 and seeds < 2:
        return Interval(mean)
    error, freedom = spread(sample)
    half = float(stats.t.ppf(0.975, freedom)) * error
    low, high = mean - half, mean + half
    if bounds[0] is not None:
        low = max(low, min(bounds[0], mean))
    if bounds[1] is not None:
        high = min(high, max(bounds[1], mean))
    carries: Carries = "seeds" if groups < 2 else "groups" if seeds < 2 else "groups and seeds"
    return Interval(mean, low, high, carries)


def over_seeds(values: Sequence[float], bounds: tuple[float | None, float | None] = (None, None)) -> Interval:
    """Mean of `values` with its t interval, for a metric without predictions.

    >>> over_seeds([0.5])
    Interval(mean=0.5, low=None, high=None, carries=None)
    """
    observed = np.asarray(values, dtype=np.float64)
    return interval(Sample(observed, np.zeros((len(observed), 0)), groups=1), bounds)


def compare(one: Sample, other: Sample) -> Difference:
    """Subtract `other` from `one`, paired by seed and by group.

    Raises:
        ValueError: when the two were not drawn on the same groups and seeds.
    """
    difference = one - other
    mean = float(difference.observed.mean())
    error, freedom = spread(difference)
    half = float(stats.t.ppf(0.975, freedom)) * error
    if error == 0:
        return Difference(mean, mean, mean, 1.0 if mean == 0 else 0.0)
    return Difference(mean, mean - half, mean + half, float(2 * stats.t.sf(abs(mean) / error, freedom)))


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """Adjust p-values by Holm's method (1979).

    Rejecting those below 5 % errs anywhere with probability 5 % at most.

    >>> holm([0.01, 0.04, 0.03])
    (0.03, 0.06, 0.06)
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return tuple(adjusted.tolist())


def rank_ranges(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranks that each of n rows may hold.

    From 1 + the number of separably better rows to n - the number of separably worse ones.

    Args:
        better: (n, n); `better[i, j]` where row i is separably better than row j.

    >>> rank_ranges(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool))
    [(1, 2), (1, 2), (3, 3)]
    """
    matrix: Any = np.asarray(better, dtype=bool)
    count = len(matrix)
    return [(1 + int(matrix[:, i].sum()), count - int(matrix[i].sum())) for i in range(count)]
