from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from harness.gate.decision import Ratio, counter_grew, ratio


def rejected(values, shift, error):
    """True if Wilcoxon's exact test rejects that the median is at most `shift`."""
    found = stats.wilcoxon(np.asarray(values) - shift, alternative="greater", method="exact")
    return found.pvalue <= error


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-0.2, 0.2), min_size=5, max_size=14, unique=True), st.sampled_from([0.002, 0.02, 0.1]))
def test_limits_are_where_scipys_test_begins_to_reject(values, error):
    values = np.asarray(values) + np.random.default_rng(0).uniform(0, 1e-3, len(values))  # no ties
    found = ratio(values, error=error)
    if math.isinf(found.high):
        assert not rejected(values, values.min() - 1, error)
        return
    low = math.log(found.low)
    assert rejected(values, low - 1e-7, error)
    assert not rejected(values, low + 1e-7, error)
    high = math.log(found.high)
    assert rejected(-values, -high - 1e-7, error)
    assert not rejected(-values, -high + 1e-7, error)


def test_estimate_is_the_median_of_means_of_pairs():
    values = [0.3, -0.1, 0.05, 0.4]
    means = [(a + b) / 2 for i, a in enumerate(values) for b in values[i:]]
    assert ratio(values, error=0.2).estimate == pytest.approx(math.exp(np.median(means)))


def test_false_alarms_are_as_rare_as_asked():
    random = np.random.default_rng(0)
    error, alarms, repeats = 0.01, 0, 4000
    for _ in range(repeats):
        values = random.standard_t(2, 12) * 0.02  # tails as heavy as a neighbour's load makes them
        alarms += ratio(values, error=error).low > 1
    assert stats.binomtest(alarms, repeats, error, alternative="greater").pvalue > 1e-3
    assert alarms > 0  # the test is not so careful that it never sounds


def test_a_burst_of_load_moves_the_limits_little():
    quiet = np.linspace(0.049, 0.051, 18)
    burst = quiet.copy()
    burst[:2] = 1.5
    found = ratio(burst, error=0.002)
    assert found.verdict(1.02) == "slower"
    assert found.estimate == pytest.approx(math.exp(0.05), rel=2e-3)


def test_few_blocks_have_no_limits():
    found = ratio([0.5] * 5, error=0.002)
    assert (found.low, found.high) == (0, math.inf)
    assert found.verdict(1.02) == "inconclusive"


def test_no_block_is_refused():
    with pytest.raises(ValueError, match="at least one block"):
        ratio([], error=0.1)


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(1.021, 1.2, "slower"), (0.9, 1.02, "not slower"), (1.0, 1.021, "inconclusive"), (1.02, 1.1, "inconclusive")],
)
def test_verdicts(low, high, verdict):
    assert Ratio(1.0, low, high, 10).verdict(1.02) == verdict


def test_blocks_needed_are_enough():
    random = np.random.default_rng(1)
    alike = stats.norm.ppf((np.arange(20) + 0.5) / 20) * 0.05
    found = ratio(alike, error=0.01)
    needed = found.blocks_needed(1.02)
    assert found.verdict(1.02) == "inconclusive"
    assert needed > 20
    more = [ratio(random.normal(0, 0.05, 2 * needed), error=0.01).verdict(1.02) for _ in range(20)]
    fewer = [ratio(random.normal(0, 0.05, needed // 4), error=0.01).verdict(1.02) for _ in range(20)]
    assert more.count("not slower") >= 15
    assert fewer.count("not slower") <= 5


def test_blocks_needed_when_no_number_of_them_decides():
    assert Ratio(1.02, 0.9, 1.1, 10).blocks_needed(1.02) is None


@pytest.mark.parametrize(
    ("base", "head", "bound", "grew"),
    [(100, 100, 0, False), (100, 101, 0, True), (100, 99, 0, False), (0, 1, 0.5, True), (100, 105, 0.05, False)],
)
def test_counters(base, head, bound, grew):
    assert counter_grew(base, head, bound) is grew
