"""Confidence intervals, paired tests, Holm's correction and rank ranges.

A score is measured by S seeds on G groups of videos that were sampled independently (videos of one group show one
scene). Seeds and groups are crossed: every seed is measured on every group.

The claim. A number estimates the mean over new seeds on new groups: score = mean + seed + group + rest, every part but
the mean random. With one seed the interval is for this fit on new groups, and is labelled so; rows are then not tested
against each other. Under 6 groups there is neither an interval nor a test. A test of two rows is about the difference
of their means over new seeds on new groups, paired by seed and group. Its family-wise error is at most 5 % after Holm's
correction, and 95 % intervals cover at least 92 %: `tests/leaderboard/test_simulation.py` asserts it by simulation, and
`benchmarks/statistics.md` has the figures.

The method. Two variances of the mean over seeds are estimated: between seeds, with S - 1 degrees of freedom, and
between groups, with G - 1, by drawing groups with replacement. The rest is in both and is taken from the groups' part,
which knows it best. Squared quantiles of Student's t, each with the freedom of its own part, weight the two (Banerjee
1960): the sum errs on the wide side however large either is, whereas one t with Satterthwaite's degrees of freedom
trusts a variance that 2 or 3 seeds say little of. It is never narrower than the groups' part alone.

Between two bounds (proportions) an interval is computed on the scale of log odds. There the spread between seeds enters
once more by its square, as in Cox's interval of a lognormal mean, because near a bound few seeds show how far the worst
may lie. Where no group differs from another, the interval is at least the exact one of as many trials as there are
groups (Clopper and Pearson 1934), fewer where few seeds say little (Korn and Graubard 1998).

Percentiles of the draws are not used: they sit off centre for every statistic that is biased in small samples (a
conditional entropy falls when groups repeat), whereas the spread does not care about the centre.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness.leaderboard.interval_ends import ERROR, Bounds, interval_ends, student, trials_worth
from harness.leaderboard.p_values import p_values
from harness.values import Predictions

Array = NDArray[np.float64]
Variance = TypeVar("Variance", float, Array)

Covers = Literal["new seeds, new groups", "this fit, new groups", "new seeds"]

DRAWS = 2000
SEED = 0
FEWEST_GROUPS = 6
"""Below, neither intervals nor tests: so few groups do not show how groups vary."""
NOTHING = 1e-20
"""A variance below is rounding."""


@dataclass(frozen=True, slots=True)
class Interval:
    """Mean over seeds with its 95 % interval; without ends where that is unknown."""

    mean: float
    low: float | None = None
    high: float | None = None
    covers: Covers | None = None
    """Claim of the interval."""


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
    strata: int = 1
    """Number of sets of groups, each drawn among themselves as those of folds are."""
    names: frozenset[str] = field(default=frozenset(), repr=False)
    """These groups, by which those of several folds are counted once."""

    def __sub__(self, other: Sample) -> Sample:
        drawn_alike = (self.groups, self.strata) == (other.groups, other.strata)
        if self.drawn.shape != other.drawn.shape or not drawn_alike:
            shapes = f"{self.drawn.shape} of {self.groups} groups and {other.drawn.shape} of {other.groups}"
            msg = f"expected samples of the same seeds, draws and groups, got {shapes}"
            raise ValueError(msg)
        return Sample(self.observed - other.observed, self.drawn - other.drawn, self.groups, self.strata)

    @property
    def freedom(self) -> int:
        """Degrees of freedom of the groups: one less than there are, in each stratum."""
        return self.groups - self.strata

    def corrected(self, variance: Variance) -> Variance:
        """Scale up the bootstrap's variance of the groups, which is too small."""
        return variance * self.groups / self.freedom


def sampled_groups(predictions: Predictions) -> tuple[str, ...]:
    r"""Group of each video; a video without one is a group of its own.

    >>> sampled_groups(Predictions(("a", "b", "c"), ("g", "", ""), (0, 0, 0)))
    ('g', '\x00b', '\x00c')
    """
    named = zip(predictions.groups, predictions.videos, strict=True)
    return tuple(group or f"\0{video}" for group, video in named)


def test_set(predictions: Predictions) -> tuple[object, ...]:
    """Videos, groups and true answers, equal where predictions can be paired."""
    return predictions.videos, predictions.groups, predictions.labels, predictions.multilabels


def group_weights(groups: Sequence[str], draws: int = DRAWS, seed: int = SEED) -> Array:
    """Draw as many groups as there are, with replacement: (B, N) counts by video.

    >>> weights = group_weights(["a", "a", "b"], draws=5)
    >>> weights.shape, bool((weights[:, 0] == weights[:, 1]).all()), set((weights[:, 0] + weights[:, 2]).tolist())
    ((5, 3), True, {2.0})
    """
    names, member = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    generator, weights = np.random.PCG64(seed), np.empty((draws, len(groups)))
    for draw in weights:
        # NumPy keeps the streams of bit generators for ever, those of Generator's methods not; boards must not change.
        raw = generator.random_raw(len(names)) >> np.uint64(11)
        picked = (raw.astype(np.float64) * 2.0**-53 * len(names)).astype(np.int64)
        draw[:] = np.bincount(picked, minlength=len(names))[member]
    return weights


def spread(sample: Sample) -> tuple[float, float]:
    """Variances of the mean over seeds: between seeds, and between groups.

    What a seed does on a group by chance is in both. The bootstrap's variance of G groups is too small by (G - 1) / G,
    of S strata by (G - S) / G, and is scaled up. 0 for what a single seed or group says nothing of.
    """
    seeds = len(sample.observed)
    between_seeds = float(sample.observed.var(ddof=1)) / seeds if seeds > 1 else 0.0
    between_groups = sample.corrected(float(np.nanvar(sample.drawn.mean(axis=0)))) if sample.freedom else 0.0
    return _or_nothing(between_seeds), _or_nothing(between_groups)


def _rest(sample: Sample, between_groups: float) -> float:
    """Variance of the mean by what a seed does on a group by chance."""
    seeds = len(sample.observed)
    if seeds < 2:
        return 0.0
    of_one_seed = sample.corrected(float(np.nanvar(sample.drawn, axis=1).mean()))
    return max(of_one_seed - between_groups, 0.0) / (seeds - 1)


def _or_nothing(variance: float) -> float:
    return variance if variance > NOTHING else 0.0


@dataclass(frozen=True, slots=True)
class _Parts:
    """Variances of a mean over seeds, and the degrees of freedom that they have."""

    seeds: float
    groups: float
    rest: float
    seed_freedom: int
    group_freedom: int

    @classmethod
    def of(cls, sample: Sample) -> _Parts:
        seeds, groups = spread(sample)
        return cls(seeds, groups, _rest(sample, groups), len(sample.observed) - 1, sample.freedom)

    def margin(self, error: float = ERROR) -> float:
        """Square of half the interval's width, for the probability `error` of a miss."""
        of_groups = student(error, self.group_freedom) ** 2
        if not self.seed_freedom:
            return of_groups * self.groups
        of_seeds = student(error, self.seed_freedom) ** 2
        both = of_seeds * self.seeds + of_groups * max(self.groups - self.rest, 0.0)
        return max(both, of_groups * self.groups)

    def p_value(self, mean: float) -> float:
        """Greatest error whose interval about `mean` leaves 0 out."""
        parts = (mean, self.seeds, max(self.groups - self.rest, 0.0), self.groups)
        found = p_values(
            *(np.array([part]) for part in parts), seed_freedom=self.seed_freedom, group_freedom=self.group_freedom
        )
        return float(found[0])


def interval(sample: Sample, bounds: Bounds = (None, None)) -> Interval:
    """Mean over seeds with its 95 % interval; none of fewer than 6 groups."""
    mean, seeds = float(sample.observed.mean()), len(sample.observed)
    if sample.groups < FEWEST_GROUPS or not sample.freedom:
        return Interval(mean)
    parts = _Parts.of(sample)
    trials = None if parts.groups else trials_worth(seeds, sample.groups)
    ends = interval_ends(mean, bounds, parts.margin(), parts.seeds, seeds, trials)
    covers: Covers = "new seeds, new groups" if seeds > 1 else "this fit, new groups"
    return Interval(mean, *ends, covers) if ends else Interval(mean)


def over_seeds(values: Sequence[float], bounds: Bounds = (None, None)) -> Interval:
    """Mean of `values` with its t interval, for a metric without predictions.

    >>> over_seeds([0.5]), over_seeds([0.5, 0.5])
    (Interval(mean=0.5, low=None, high=None, covers=None), Interval(mean=0.5, low=None, high=None, covers=None))
    """
    observed = np.asarray(values, dtype=np.float64)
    mean, seeds = float(observed.mean()), len(observed)
    variance = _or_nothing(float(observed.var(ddof=1)) / seeds) if seeds > 1 else 0.0
    margin = student(ERROR, seeds - 1) ** 2 * variance if variance else 0.0
    ends = interval_ends(mean, bounds, margin, variance, seeds)
    return Interval(mean, *ends, "new seeds") if ends else Interval(mean)


def compare(one: Sample, other: Sample) -> Difference:
    """Test for a difference of two rows, paired by seed and by group.

    A difference that no seed and no group varies has the p-value of the sign test over groups.

    Raises:
        ValueError: when the two were not drawn on the same groups and seeds, or there are too few of either.
    """
    difference = one - other
    seeds, groups = len(difference.observed), difference.groups
    if seeds < 2 or groups < FEWEST_GROUPS or not difference.freedom:
        sets = f" in {difference.strata} sets" if difference.strata > 1 else ""
        msg = f"a test needs at least 2 seeds and {FEWEST_GROUPS} groups, got {seeds} and {groups}{sets}"
        raise ValueError(msg)
    mean = float(difference.observed.mean())
    parts = _Parts.of(difference)
    margin = parts.margin()
    if margin:
        p = parts.p_value(mean)
    else:
        p = 2.0 ** (1 - min(groups, 50)) if mean else 1.0
        margin = (mean * student(ERROR, difference.freedom) / student(p, difference.freedom)) ** 2 if mean else 0.0
    return Difference(mean, mean - margin**0.5, mean + margin**0.5, p)


def holm(p: Sequence[float] | Array) -> Array:
    """Adjust p-values by Holm's method (1979).

    Rejecting those below 5 % errs anywhere with probability 5 % at most.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def rank_ranges(better: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Ranks that each of n rows may hold.

    From 1 + the number of separably better rows to n - the number of separably worse ones.

    Args:
        better: (n, n); `better[i, j]` where row i is separably better than row j.

    >>> rank_ranges(np.array([[0, 0, 1], [0, 0, 1], [0, 0, 0]], dtype=bool))
    [(1, 2), (1, 2), (3, 3)]
    """
    matrix: Any = np.asarray(better, dtype=bool)
    return list(zip((1 + matrix.sum(axis=0)).tolist(), (len(matrix) - matrix.sum(axis=1)).tolist(), strict=True))
