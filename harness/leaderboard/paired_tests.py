"""Paired tests of all pairs of rows at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.leaderboard.interval_ends import ERROR, student
from harness.leaderboard.p_values import p_values
from harness.leaderboard.statistics import NOTHING, Sample

Array = NDArray[np.float64]

_ALIKE = 1e-3
"""Share of two rows' variances below which their covariance is not precise enough."""
_ELEMENTS = 2**22
"""Numbers of differences that are held at a time."""


@dataclass(frozen=True, slots=True)
class PairedTests:
    """Differences of R rows in one metric, (R, R) each: the row less the column."""

    mean: Array
    margin: Array
    """Half the width of the 95 % interval."""
    p: Array


def paired_tests(samples: Sequence[Sample]) -> PairedTests:
    """Test every row against every other, as `compare` does two.

    The variance of a difference is that of the two rows less twice their covariance, all of which one matrix product
    gives; where little of it is left, it is computed from the difference.

    Args:
        samples: of at least 2 seeds, all of the same seeds, draws and groups, of which there are enough.
    """
    seeds, groups, group_freedom = len(samples[0].observed), samples[0].groups, samples[0].freedom
    observed = np.stack([sample.observed for sample in samples])
    drawn = np.stack([sample.drawn for sample in samples])
    mean, between_seeds = np.zeros((2, len(samples), len(samples)))
    for part in _parts(len(samples), len(samples) * seeds):
        difference = observed[part, None] - observed[None]
        mean[part] = difference.mean(axis=2)
        between_seeds[part] = difference.var(axis=2, ddof=1) / seeds
    of_mean, of_one_seed = _variances(drawn)
    between_groups = samples[0].corrected(of_mean)
    between_seeds, between_groups = (_or_nothing(variance) for variance in (between_seeds, between_groups))
    rest = np.maximum(samples[0].corrected(of_one_seed) - between_groups, 0.0) / (seeds - 1)
    less = np.maximum(between_groups - rest, 0.0)
    of_seeds, of_groups = student(ERROR, seeds - 1) ** 2, student(ERROR, group_freedom) ** 2
    margin = np.sqrt(np.maximum(of_seeds * between_seeds + of_groups * less, of_groups * between_groups))
    p = np.ones_like(mean)
    one, other = np.triu_indices(len(samples), 1)
    freedom = {"seed_freedom": seeds - 1, "group_freedom": group_freedom}
    found = p_values(
        mean[one, other], between_seeds[one, other], less[one, other], between_groups[one, other], **freedom
    )
    p[one, other] = p[other, one] = found
    # What no seed and no group varies has the p-value of the sign test over groups.
    constant = (margin == 0) & (mean != 0)
    sign_test = 2.0 ** (1 - min(groups, 50))
    p[constant] = sign_test
    margin[constant] = np.abs(mean[constant]) * student(ERROR, group_freedom) / student(sign_test, group_freedom)
    return PairedTests(mean, margin, p)


def _variances(drawn: Array) -> tuple[Array, Array]:
    """Variances over draws of the differences of rows (R, S, B), (R, R).

    That of the mean over seeds, and the mean over seeds of that of each.
    """
    rows = len(drawn)
    with np.errstate(invalid="ignore"):
        means = drawn.mean(axis=1)
        of_mean = _by_covariance((means - means.mean(axis=1, keepdims=True))[:, None])
        of_one_seed = _by_covariance(drawn - drawn.mean(axis=2, keepdims=True))
        alone = np.diag(_products(means - means.mean(axis=1, keepdims=True)))
        doubtful = ~(of_mean > _ALIKE * (alone[:, None] + alone[None]))
    doubtful |= ~np.isfinite(of_one_seed)
    one, other = np.nonzero(np.triu(doubtful, 1))
    for part in _parts(len(one), drawn[0].size):
        difference = drawn[one[part]] - drawn[other[part]]
        exact = np.nanvar(difference.mean(axis=1), axis=1), np.nanvar(difference, axis=2).mean(axis=1)
        for variances, values in zip((of_mean, of_one_seed), exact, strict=True):
            variances[one[part], other[part]] = variances[other[part], one[part]] = values
    for variances in (of_mean, of_one_seed):
        variances[np.arange(rows), np.arange(rows)] = 0.0
    return of_mean, of_one_seed


def _by_covariance(centred: Array) -> Array:
    """Mean over seeds of variances of differences, (R, R), of centred (R, S, B)."""
    products = _products(centred.reshape(len(centred), -1))
    alone = np.diag(products)
    return np.maximum(alone[:, None] + alone[None] - 2 * products, 0.0)


def _products(centred: Array) -> Array:
    products: Array = centred @ centred.T / centred.shape[1]
    return products


def _or_nothing(variances: Array) -> Array:
    return np.where(variances > NOTHING, variances, 0.0)


def _parts(count: int, each: int) -> Iterator[slice]:
    """Slices of `count` things, so that not too many numbers are held at a time."""
    step = max(1, _ELEMENTS // max(each, 1))
    return (slice(start, start + step) for start in range(0, count, step))
