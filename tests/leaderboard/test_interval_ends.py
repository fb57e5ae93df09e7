"""Ends of intervals against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from harness.leaderboard.interval_ends import interval_ends, trials_worth
from harness.leaderboard.statistics import Sample, interval


@pytest.mark.parametrize("seeds", [1, 2, 5])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.97])
@pytest.mark.parametrize(("low", "width"), [(0.0, 1.0), (-1.0, 4.0)])
def test_ends_are_those_on_the_scale_of_log_odds(seeds, share, low, width):
    margin, between = (0.05 * width) ** 2, (0.01 * width) ** 2
    slope = width * share * (1 - share)
    variance = between / slope**2  # of the mean of the seeds
    of_spread = 1.5 * stats.t.ppf(0.975, seeds - 1) ** 2 * (seeds * variance) ** 2 / (seeds - 1) if seeds > 1 else 0
    half = np.sqrt(margin / slope**2 + of_spread)
    expected = low + width * special.expit(special.logit(share) + np.array([-half, half]))
    ends = interval_ends(low + share * width, (low, low + width), margin, between, seeds)
    assert ends == pytest.approx(tuple(expected))


@pytest.mark.parametrize(("seeds", "groups"), [(1, 7), (2, 7), (3, 105), (10, 105), (10, 7)])
def test_groups_that_do_not_differ_are_worth_fewer_trials_where_seeds_are_few(seeds, groups):
    freedom = (min(seeds, groups) if seeds > 1 else groups) - 1
    trials = groups * (stats.t.ppf(0.975, groups - 1) / stats.t.ppf(0.975, freedom)) ** 2
    assert trials_worth(seeds, groups) == pytest.approx(trials)
    found = interval(Sample(np.ones(seeds), np.ones((seeds, 50)), groups), (0.0, 1.0))
    assert (found.low, found.high) == pytest.approx((stats.beta.ppf(0.025, trials, 1), 1.0))  # Clopper and Pearson
