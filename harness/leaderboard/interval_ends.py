"""Ends of an interval, also beside the bounds of a metric."""

from __future__ import annotations

from scipy import special

Bounds = tuple[float | None, float | None]

ERROR = 0.05
"""Probability with which an interval may miss, and a test may err."""


def student(error: float, freedom: int) -> float:
    """Quantile of Student's t that is exceeded on both sides together with `error`.

    >>> round(student(0.05, 1), 2), round(student(0.05, 104), 2)
    (12.71, 1.98)
    """
    return -float(special.stdtrit(freedom, error / 2))


def trials_worth(seeds: int, groups: int) -> float:
    """Number of trials that groups are worth which do not differ.

    Fewer than the groups where several seeds, and few, say how seeds vary (Korn and Graubard 1998).

    >>> trials_worth(1, 7), round(trials_worth(2, 700), 1), round(trials_worth(10, 700))
    (7.0, 16.7, 527)
    """
    freedom = groups - 1 if seeds < 2 else min(seeds, groups) - 1
    return groups * (student(ERROR, groups - 1) / student(ERROR, freedom)) ** 2


def interval_ends(
    mean: float, bounds: Bounds, margin: float, between_seeds: float, seeds: int, trials: float | None = None
) -> tuple[float, float] | None:
    """Ends of an interval; None where nothing varies, so that nothing is known.

    Between two bounds on the scale of log odds.

    Args:
        mean: over `seeds` seeds.
        bounds: of the metric.
        margin: square of half the width, on the metric's own scale.
        between_seeds: variance of the mean by seeds, which is in `margin` already.
        seeds: number of seeds.
        trials: number of trials of the exact interval, where groups do not differ.
    """
    low, high = bounds
    if low is None or high is None or not low <= mean <= high:
        return _clipped(mean, bounds, margin**0.5) if margin else None
    share = (mean - low) / (high - low)
    ends: list[float] = []
    if margin and 0 < share < 1:
        slope = (share * (1 - share) * (high - low)) ** 2
        half = (margin / slope + _tail(between_seeds / slope, seeds)) ** 0.5
        ends += [float(special.expit(special.logit(share) + side)) for side in (-half, half)]
    if trials is not None:
        ends += exact(share, trials)
    return (low + (high - low) * min(ends), low + (high - low) * max(ends)) if ends else None


def _tail(between_seeds: float, seeds: int) -> float:
    """Margin, in log odds, of what the spread between seeds does to their mean.

    Half the variance of one seed is what the mean of a lognormal has beside its median, and Cox's interval adds the
    variance of its estimate (Zhou and Gao 1997). Here it is three times that, because simulation shows that few seeds
    need it.
    """
    if seeds < 2:
        return 0.0
    of_one_seed = seeds * between_seeds
    return 1.5 * student(ERROR, seeds - 1) ** 2 * of_one_seed**2 / (seeds - 1)


def exact(share: float, trials: float) -> tuple[float, float]:
    """Interval of Clopper and Pearson (1934) for a share of trials.

    >>> [round(end, 3) for end in exact(1.0, 7)]
    [0.59, 1.0]
    """
    hits, misses = share * trials, (1 - share) * trials
    low = float(special.betaincinv(hits, misses + 1, ERROR / 2)) if hits > 0 else 0.0
    high = float(special.betaincinv(hits + 1, misses, 1 - ERROR / 2)) if misses > 0 else 1.0
    return low, high


def _clipped(mean: float, bounds: Bounds, half: float) -> tuple[float, float]:
    """Ends within the bounds, about a mean that may lie outside."""
    low, high = mean - half, mean + half
    if bounds[0] is not None:
        low = max(low, min(bounds[0], mean))
    if bounds[1] is not None:
        high = min(high, max(bounds[1], mean))
    return low, high
