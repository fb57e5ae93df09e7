"""Tests of many rows at once give what a test of two gives."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import optimize

from harness.leaderboard.interval_ends import student
from harness.leaderboard.p_values import LEAST, p_values
from harness.leaderboard.paired_tests import paired_tests
from harness.leaderboard.statistics import Sample, compare


def rows_of(rng, rows, seeds, groups, draws=300):
    """Rows that share much, little, or all of what groups and seeds do."""
    apart = rng.choice([1.0, 0.1, 1e-3, 0.0], (rows, 1, 1))
    drawn = 0.5 + rng.normal(0, 0.05, draws) + apart * rng.normal(0, 0.03, (rows, seeds, draws))
    observed = 0.5 + apart[:, :, 0] * rng.normal(0, 0.05, (rows, seeds))
    drawn[1], observed[1] = drawn[0], observed[0]
    drawn[2] = drawn[0]
    return [Sample(np.round(o, 12), np.round(d, 12), groups) for o, d in zip(observed, drawn, strict=True)]


@pytest.mark.parametrize(("seeds", "groups"), [(2, 105), (3, 7), (5, 40), (2, 6)])
def test_every_pair_is_tested_as_two_rows_are(seeds, groups):
    samples = rows_of(np.random.default_rng(seeds), 12, seeds, groups)
    tests = paired_tests(samples)
    for i, j in combinations(range(12), 2):
        difference = compare(samples[i], samples[j])
        assert tests.mean[i, j] == -tests.mean[j, i] == difference.mean
        assert tests.margin[i, j] == tests.margin[j, i]
        assert (tests.mean[i, j] - tests.margin[i, j], tests.mean[i, j] + tests.margin[i, j]) == pytest.approx(
            (difference.low, difference.high), abs=1e-12
        )
        assert tests.p[i, j] == tests.p[j, i] == pytest.approx(difference.p, rel=1e-9)
    assert (tests.mean[0, 1], tests.margin[0, 1], tests.p[0, 1]) == (0, 0, 1)


def test_draws_that_have_no_video_that_counts_are_left_out():
    samples = rows_of(np.random.default_rng(1), 4, 2, 9)
    samples[2].drawn[1, 7] = np.nan
    tests = paired_tests(samples)
    for i, j in combinations(range(4), 2):
        difference = compare(samples[i], samples[j])
        assert tests.margin[i, j] == pytest.approx(difference.high - difference.mean, abs=1e-12)
        assert tests.p[i, j] == pytest.approx(difference.p, rel=1e-9)


def test_p_values_are_the_roots_that_a_search_finds():
    rng = np.random.default_rng(0)
    size = rng.choice([0.0, 1e-4, 0.01, 0.1, 1.0], 200) * rng.random(200)
    seeds, rest, groups = rng.choice([0.0, 1e-6, 1e-3], (3, 200)) * rng.random((3, 200)) + [[0], [0], [1e-9]]
    found = p_values(size, seeds, rest, groups, seed_freedom=2, group_freedom=11)
    for k in range(200):

        def excess(log_p, k=k):
            of_seeds, of_groups = student(np.exp(log_p), 2) ** 2, student(np.exp(log_p), 11) ** 2
            return max(of_seeds * seeds[k] + of_groups * rest[k], of_groups * groups[k]) - size[k] ** 2

        if excess(np.log(LEAST)) <= 0:
            assert found[k] == LEAST
        elif size[k] == 0:
            assert found[k] == 1
        else:
            slow = np.exp(optimize.brentq(excess, np.log(LEAST), 0.0, xtol=1e-13))
            assert found[k] == pytest.approx(slow, rel=1e-9)
    alone = p_values(np.array([0.1]), np.zeros(1), np.zeros(1), np.array([0.01]), seed_freedom=0, group_freedom=5)
    assert student(float(alone[0]), 5) * 0.1 == pytest.approx(0.1)
