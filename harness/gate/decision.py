"""Decide from blocks whether a ratio of times lies above its bound."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

TimeVerdict = Literal["slower", "not slower", "inconclusive"]
MOST_NEEDED = 10_000
"""Number of blocks above which it is of no use to say how many would decide."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Time of the head over that of the base, with a limit on either side."""

    estimate: float
    low: float
    high: float
    blocks: int
    """Blocks that it was estimated from."""

    def verdict(self, bound: float) -> TimeVerdict:
        """Compare with the largest ratio that is allowed.

        >>> Ratio(1.05, 1.04, 1.06, 9).verdict(1.02), Ratio(1.01, 0.99, 1.03, 9).verdict(1.02)
        ('slower', 'inconclusive')
        """
        if self.low > bound:
            return "slower"
        return "not slower" if self.high <= bound else "inconclusive"

    def blocks_needed(self, bound: float) -> int | None:
        """Estimate how many blocks would decide; None when more than `MOST_NEEDED`.

        The interval shrinks with the square root of their number.

        >>> Ratio(1.0, 0.96, 1.04, 10).blocks_needed(1.02)
        40
        """
        limit = self.high if self.estimate <= bound else self.low
        width, distance = abs(math.log(limit / self.estimate)), abs(math.log(bound / self.estimate))
        if not math.isfinite(width) or width > math.sqrt(MOST_NEEDED / self.blocks) * distance:
            return None
        return math.ceil(self.blocks * (width / distance) ** 2)


def ratio(logarithms: Sequence[float], *, error: float) -> Ratio:
    """Estimate a ratio from the logarithms that blocks gave.

    The estimate is Hodges and Lehmann's, the median of the means of all pairs of blocks; the limits are those of
    Wilcoxon's signed-rank test. They hold for blocks of any symmetric distribution, such as the difference of two alike
    processes measured in random order, and a burst of load that spoils a few blocks moves them little.

    Args:
        logarithms: of head over base, one a block.
        error: chance that the true ratio is below the lower limit, and the same for the upper one; few blocks have
            infinite limits.

    Raises:
        ValueError: when there is no block.

    Source: Hodges and Lehmann, "Estimates of location based on rank tests", Annals of Mathematical Statistics 1963.

    >>> found = ratio([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06], error=0.05)
    >>> round(found.estimate, 4), round(found.low, 4), round(found.high, 4)
    (1.0305, 1.0101, 1.0513)
    """
    values = np.asarray(logarithms, dtype=np.float64)
    if not len(values):
        msg = "expected at least one block, got none"
        raise ValueError(msg)
    first, second = np.triu_indices(len(values))
    means = np.sort((values[first] + values[second]) / 2)
    place = _critical(len(values), error)
    low, high = (means[place - 1], means[-place]) if place else (-math.inf, math.inf)
    estimate, low, high = (float(np.exp(value)) for value in (np.median(means), low, high))
    return Ratio(estimate, low, high, len(values))


@functools.lru_cache
def _critical(count: int, error: float) -> int:
    """Rank from either end of the sorted means at which the limits lie; 0 for none."""
    chances = np.ones(1)
    for rank in range(1, count + 1):  # each rank is in the sum of the positive ones, or is not
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return int(np.searchsorted(np.cumsum(chances), error, side="right"))


def counter_grew(base: int, head: int, bound: float) -> bool:
    """True if a counter grew beyond its bound, as a share of the base's.

    >>> counter_grew(100, 101, 0.0), counter_grew(100, 104, 0.05), counter_grew(0, 1, 0.05)
    (True, False, True)
    """
    return head > base * (1 + bound)
