"""P-values of differences whose interval adds two parts, each with a t of its own."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray
from scipy import special

Array = NDArray[np.float64]

LEAST = 1e-15
"""Least p-value that is told."""
_NODES = 4097
_LOGS = np.linspace(np.log(LEAST), 0.0, _NODES)
_STEPS = 3
"""Newton's steps after a table's five digits; each doubles those that are right."""


def p_values(
    mean: Array, seeds: Array, rest_of_groups: Array, groups: Array, *, seed_freedom: int, group_freedom: int
) -> Array:
    """Greatest errors whose intervals about `mean` leave 0 out, between `LEAST` and 1.

    The square of half the width is t_seeds^2 `seeds` + t_groups^2 `rest_of_groups`, or t_groups^2 `groups` where that
    is more; one of them is above 0. All arrays have one shape.

    Args:
        mean: differences.
        seeds: variance of the mean between seeds.
        rest_of_groups: variance between groups, less what seeds do on groups by chance.
        groups: variance between groups.
        seed_freedom: degrees of freedom of the first; 0 for one seed, which has none.
        group_freedom: degrees of freedom of the others.
    """
    size = np.abs(mean)
    p = _alone(size, groups, group_freedom)
    if seed_freedom:
        one, other = _alone(size, seeds, seed_freedom), _alone(size, rest_of_groups, group_freedom)
        both = (seeds > 0) & (rest_of_groups > 0) & (size > 0)
        summed = np.maximum(one, other)
        summed[both] = _together(size[both], seeds[both], rest_of_groups[both], seed_freedom, group_freedom)
        p = np.maximum(p, summed)
    return np.where(size > 0, np.clip(p, LEAST, 1.0), 1.0)


def _alone(size: Array, variance: Array, freedom: int) -> Array:
    """P-values of one part alone; 0 where it has no variance."""
    known = variance > 0
    t = size / np.sqrt(np.where(known, variance, 1.0))
    return np.where(known, 2 * special.stdtr(freedom, -t), 0.0)


def _together(size: Array, seeds: Array, groups: Array, seed_freedom: int, group_freedom: int) -> Array:
    """P-values of both parts, by a search in a table and then Newton's method."""
    logs, of_seeds, of_groups = _LOGS, _table(seed_freedom), _table(group_freedom)
    low, high = np.zeros(size.shape, np.int64), np.full(size.shape, _NODES - 1)
    while int(np.max(high - low, initial=0)) > 1:
        middle = (low + high) // 2
        wide = np.sqrt(seeds * of_seeds[middle] ** 2 + groups * of_groups[middle] ** 2) > size
        low, high = np.where(wide, middle, low), np.where(wide, high, middle)
    log_p = (logs[low] + logs[high]) / 2
    for _ in range(_STEPS):
        one, other = _student(log_p, seed_freedom), _student(log_p, group_freedom)
        half = np.sqrt(seeds * one**2 + groups * other**2)
        slope = seeds * one * _slope(log_p, one, seed_freedom) + groups * other * _slope(log_p, other, group_freedom)
        step = np.divide((half - size) * half, slope, out=np.zeros_like(size), where=slope < 0)
        log_p = np.clip(log_p - step, logs[0], -1e-300)
    # The table ends at the least p-value: what lies beyond is that.
    most = np.sqrt(seeds * of_seeds[0] ** 2 + groups * of_groups[0] ** 2)
    return np.asarray(np.where(size >= most, LEAST, np.exp(log_p)))


@functools.lru_cache(maxsize=32)
def _table(freedom: int) -> Array:
    """Quantiles at the table's errors, which every search reads."""
    quantiles = _student(_LOGS, freedom)
    quantiles.flags.writeable = False
    return quantiles


def _student(log_error: Array, freedom: int) -> Array:
    """Quantile of Student's t exceeded on both sides together with an error."""
    return np.asarray(np.maximum(-special.stdtrit(freedom, np.exp(log_error) / 2), 0.0))


def _slope(log_error: Array, t: Array, freedom: int) -> Array:
    """Derivative of the quantile by the logarithm of the error."""
    log_norm = special.gammaln((freedom + 1) / 2) - special.gammaln(freedom / 2) - np.log(freedom * np.pi) / 2
    log_density = log_norm - (freedom + 1) / 2 * np.log1p(t**2 / freedom)
    return np.asarray(-np.exp(log_error - log_density) / 2)
