"""Intervals cover, p-values are uniform, and both agree with closed forms and slow twins."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pandas
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.regression.mixed_linear_model import MixedLM

from harness.cards import Metric
from harness.functional.statistics import STATISTICS
from harness.leaderboard.statistics import (
    Interval,
    Sample,
    compare,
    group_weights,
    holm,
    interval,
    over_seeds,
    rank_ranges,
    spread,
)


def metric(statistic):
    return Metric(id="m", title="M", unit="1", higher_is_better=True, statistic=statistic)


def names(groups, clips):
    return [f"g{i:03d}" for i in range(groups) for _ in range(clips)]


def samples(right, groups, draws):
    """The samples of accuracy, (M, S, N) right or wrong, weighted by hand."""
    weights = np.vstack([np.ones(len(groups)), group_weights(groups, draws)])
    values = np.asarray(right, dtype=float).reshape(-1, len(groups)) @ weights.T / weights.sum(axis=1)
    values = np.round(values, 12).reshape(len(right), -1, len(weights))
    return [Sample(one[:, 0], one[:, 1:], len(set(groups))) for one in values]


def sample_of(values):
    """Sample of scores (S, G), with draws whose variance is exactly that of all possible draws."""
    mean = values.mean(axis=1, keepdims=True)
    return Sample(mean[:, 0], mean + (values - mean) / np.sqrt(values.shape[1]), values.shape[1])


def answers(rng, size, level, group_spread, seed_spread=0.0, own_spread=0.0):
    """Right or wrong, (M, S, G, n): groups are easy or hard for all seeds, seeds good or bad on all groups."""
    simulations, seeds, groups, _ = size
    logit = level + rng.normal(0, group_spread, (simulations, 1, groups, 1))
    logit = logit + rng.normal(0, seed_spread, (simulations, seeds, 1, 1))
    logit = logit + rng.normal(0, own_spread, (simulations, seeds, groups, 1))
    return rng.random(size) < 1 / (1 + np.exp(-logit))


def covered(intervals, truth):
    return np.mean([one.low <= truth <= one.high for one in intervals])


def test_every_draw_takes_as_many_groups_as_there_are_and_whole_groups_only():
    groups = ["a", "b", "b", "c", "c", "c"]
    weights = group_weights(groups, draws=4000)
    assert weights.shape == (4000, 6)
    per_group = weights[:, [0, 1, 3]]
    assert (per_group.sum(axis=1) == 3).all()
    for one, other in ((1, 2), (3, 4), (4, 5)):
        assert (weights[:, one] == weights[:, other]).all()
    # A group's count is binomial with 3 trials at 1/3.
    share = [(per_group[:, 0] == k).mean() for k in range(4)]
    assert share == pytest.approx(stats.binom(3, 1 / 3).pmf(range(4)), abs=0.03)


def test_draws_depend_on_the_seed_and_on_nothing_else():
    groups = names(5, 2)
    assert (group_weights(groups, 50, seed=1) == group_weights(groups, 50, seed=1)).all()
    assert (group_weights(groups, 50, seed=1) != group_weights(groups, 50, seed=2)).any()
    # From the raw bits, whose stream NumPy never changes: a board rendered years later shows the same intervals.
    raw = np.random.PCG64(7).random_raw(12).tolist()
    picked = [int((bits >> 11) / 2**53 * 4) for bits in raw]
    expected = [[picked[4 * b : 4 * b + 4].count(k) for k in range(4)] for b in range(3)]
    assert group_weights(["a", "b", "c", "d"], draws=3, seed=7).tolist() == expected


def test_the_interval_of_one_seed_is_that_of_a_mean_over_groups():
    rng = np.random.default_rng(0)
    right = rng.random((1, 40, 5)) < rng.random((1, 40, 1))
    [sample] = samples(right, names(40, 5), 20_000)
    error = right.mean(axis=2).std(ddof=1) / np.sqrt(40)
    assert spread(sample) == (0, pytest.approx(error**2, rel=0.04))
    result = interval(sample)
    assert (result.mean - result.low, result.high - result.mean) == pytest.approx(
        [stats.t.ppf(0.975, 39) * error] * 2, rel=0.02
    )
    assert result.covers == "this fit, new groups"


def crossed(rng, seeds, groups, *, of_seeds=1.0, of_groups=1.0, rest=1.0):
    """Scores (S, G) of every seed on every group."""
    return (
        rng.normal(0, of_seeds, (seeds, 1))
        + rng.normal(0, of_groups, (1, groups))
        + rng.normal(0, rest, (seeds, groups))
    )


def anova(values):
    """Mean squares of the balanced crossed design: seeds, groups, rest."""
    seeds, groups = values.shape
    by_seed, by_group = values.mean(axis=1, keepdims=True), values.mean(axis=0, keepdims=True)
    rest = ((values - by_seed - by_group + values.mean()) ** 2).sum() / ((seeds - 1) * (groups - 1))
    return groups * by_seed.var(ddof=1), seeds * by_group.var(ddof=1), rest


def test_the_parts_are_the_mean_squares_of_the_crossed_design():
    rng = np.random.default_rng(1)
    seeds, groups = 4, 30
    values = crossed(rng, seeds, groups)
    weights = group_weights([f"g{g:02d}" for g in range(groups)], 20_000)
    sample = Sample(values.mean(axis=1), values @ weights.T / groups, groups)
    of_seeds, of_groups, rest = np.array(anova(values)) / (seeds * groups)
    assert spread(sample) == pytest.approx((of_seeds, of_groups), rel=0.05)
    assert spread(sample_of(values)) == pytest.approx((of_seeds, of_groups))
    half = interval(sample_of(values)).high - values.mean()
    t_seeds, t_groups = (stats.t.ppf(0.975, freedom) for freedom in (seeds - 1, groups - 1))
    assert half**2 == pytest.approx(t_seeds**2 * of_seeds + t_groups**2 * (of_groups - rest))


def test_the_interval_is_that_of_a_mixed_models_variances():
    """statsmodels' MixedLM with crossed random effects, by restricted likelihood."""
    seeds, groups = 6, 20
    values = crossed(np.random.default_rng(2), seeds, groups)
    data = pandas.DataFrame(
        {"score": values.ravel(), "s": np.repeat(np.arange(seeds), groups), "g": np.tile(np.arange(groups), seeds)}
    )
    formulas = {"seed": "0 + C(s)", "group": "0 + C(g)"}
    model = MixedLM.from_formula("score ~ 1", groups=np.ones(len(data)), vc_formula=formulas, re_formula="0", data=data)
    fit = model.fit(reml=True)
    of_group, of_seed = fit.vcomp
    difference = compare(sample_of(values), sample_of(np.zeros_like(values)))
    t_seeds, t_groups = (stats.t.ppf(0.975, freedom) for freedom in (seeds - 1, groups - 1))
    expected = t_seeds**2 * (of_seed / seeds + fit.scale / values.size) + t_groups**2 * of_group / groups
    assert difference.mean == pytest.approx(fit.params["Intercept"])
    assert (difference.high - difference.mean) ** 2 == pytest.approx(expected, rel=1e-3)
    # The errors that the model itself states are those of the same variances, weighted by nothing.
    assert fit.bse["Intercept"] ** 2 == pytest.approx(
        of_seed / seeds + of_group / groups + fit.scale / values.size, rel=1e-3
    )


def test_luck_with_the_seeds_makes_no_interval_narrower_than_its_groups():
    values = crossed(np.random.default_rng(3), 5, 30, of_seeds=0.0, rest=3.0)
    values -= values.mean(axis=1, keepdims=True) - values.mean()
    [low, high] = stats.t.interval(0.95, 29, values.mean(), stats.sem(values.mean(axis=0)))
    result = interval(sample_of(values))
    assert (result.low, result.high) == pytest.approx((low, high))


def test_the_interval_of_values_alone_is_students():
    values = [0.41, 0.47, 0.44, 0.5]
    result = over_seeds(values)
    expected = stats.t.interval(0.95, 3, np.mean(values), stats.sem(values))
    assert (result.low, result.high) == pytest.approx(expected)
    assert result.covers == "new seeds"


def test_nothing_is_claimed_where_nothing_is_known():
    values = crossed(np.random.default_rng(4), 3, 5)
    assert [interval(sample_of(few)).low for few in (values, values[:1])] == [None, None]
    for few in (sample_of(values), sample_of(crossed(np.random.default_rng(4), 1, 50))):
        with pytest.raises(ValueError, match="at least 2 seeds and 6 groups"):
            compare(few, few)
    still = sample_of(np.full((2, 7), 0.5))
    assert interval(still) == Interval(0.5)  # of a metric without bounds
    assert over_seeds([3.0, 3.0], (0.0, None)) == Interval(3.0)


@given(st.integers(1, 4), st.integers(6, 12), st.integers(1, 3), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_no_proportion_has_an_interval_without_width_and_none_leaves_its_bounds(seeds, groups, clips, seed, share):
    right = np.random.default_rng(seed).random((seeds, groups, clips)) < share
    result = interval(sample_of(right.mean(axis=2)), (0.0, 1.0))
    assert 0 <= result.low <= result.mean <= result.high <= 1
    assert result.high - result.low > 0.01


def test_where_groups_do_not_differ_the_interval_is_exact():
    everything = interval(sample_of(np.ones((1, 7))), (0.0, 1.0))
    assert (everything.low, everything.high) == (pytest.approx(stats.binomtest(7, 7).proportion_ci().low), 1)
    nothing = interval(sample_of(np.zeros((1, 7))), (0.0, 1.0))
    assert (nothing.low, nothing.high) == (0, pytest.approx(1 - everything.low))
    half = interval(sample_of(np.full((1, 8), 0.5)), (0.0, 1.0))
    assert (half.low, half.high) == pytest.approx(stats.binomtest(4, 8).proportion_ci())
    assert interval(sample_of(np.ones((2, 7))), (0.0, 1.0)).low < everything.low


def test_intervals_stay_within_one_bound_and_hold_their_mean():
    sample = Sample(np.array([0.99]), np.linspace(0.9, 1, 50)[None], groups=8)
    assert interval(sample, (None, 1.0)).high == 1.0
    assert interval(sample).high > 1.0
    outside = interval(Sample(np.array([1.2]), np.linspace(1.1, 1.3, 50)[None], groups=8), (0.0, 1.0))
    assert outside.low < outside.mean <= outside.high


def test_bounds_far_away_change_nothing():
    sample = sample_of(crossed(np.random.default_rng(5), 5, 30))
    near, plain = interval(sample, (-1e4, 1e4)), interval(sample)
    assert (near.low, near.high) == pytest.approx((plain.low, plain.high), rel=1e-2)


def test_intervals_of_accuracy_cover_at_their_nominal_level_where_those_over_videos_do_not():
    rng = np.random.default_rng(11)
    truth = answers(rng, (2000, 1, 500, 2), 0.4, 1.0).mean()
    right = answers(rng, (600, 1, 60, 5), 0.4, 1.0)
    grouped = samples(right, names(60, 5), 400)
    assert 0.92 <= covered([interval(sample) for sample in grouped], truth) <= 0.98
    single = samples(right, names(300, 1), 400)
    assert covered([interval(sample) for sample in single], truth) < 0.9


def test_intervals_cover_with_few_groups_where_percentiles_do_not():
    rng = np.random.default_rng(12)
    truth = answers(rng, (2000, 1, 500, 2), 0.4, 1.0).mean()
    drawn = samples(answers(rng, (600, 1, 7, 20), 0.4, 1.0), names(7, 20), 400)
    assert 0.92 <= covered([interval(sample) for sample in drawn], truth) <= 0.98
    percentiles = [np.quantile(sample.drawn[0], [0.025, 0.975]) for sample in drawn]
    assert np.mean([low <= truth <= high for low, high in percentiles]) < 0.91


@pytest.fixture
def one_thread():
    """Many small calls wait for each other's threads on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("one_thread")
def test_intervals_of_a_biased_statistic_cover_its_expectation_where_percentiles_do_not():
    rng = np.random.default_rng(13)
    groups, clips, classes, clusters = 60, 4, 8, 12
    likely = rng.dirichlet(np.ones(clusters) * 0.3, classes).cumsum(axis=1)
    weights = torch.from_numpy(np.vstack([np.ones(groups * clips), group_weights(names(groups, clips), 150)]))

    def entropies(weights):
        labels = rng.integers(0, classes, groups).repeat(clips)
        drawn = (rng.random((len(labels), 1)) > likely[labels]).sum(axis=1).clip(0, clusters - 1)
        favourite = rng.integers(0, clusters, groups).repeat(clips)
        clustered = np.where(rng.random(len(labels)) < 0.3, favourite, drawn)
        return STATISTICS["conditional_entropy"](torch.tensor(labels), torch.tensor(clustered), weights).numpy()

    truth = np.mean([entropies(weights[:1]) for _ in range(1500)])
    drawn = [Sample(values[None, 0], values[None, 1:], groups) for values in (entropies(weights) for _ in range(400))]
    assert 0.92 <= covered([interval(sample, (0.0, None)) for sample in drawn], truth) <= 0.98
    percentiles = [np.quantile(sample.drawn[0], [0.025, 0.975]) for sample in drawn]
    assert np.mean([low <= truth <= high for low, high in percentiles]) < 0.5


@pytest.mark.parametrize(("seeds", "seed_spread"), [(3, 0.2), (5, 0.3)])
def test_intervals_carry_seeds_as_well_as_groups(seeds, seed_spread):
    rng = np.random.default_rng(14)
    truth = answers(rng, (100, 50, 500, 1), 0.4, 1.0, seed_spread, 0.5).mean()
    drawn = samples(answers(rng, (500, seeds, 60, 5), 0.4, 1.0, seed_spread, 0.5), names(60, 5), 400)
    assert 0.92 <= covered([interval(sample) for sample in drawn], truth) <= 0.98
    assert interval(drawn[0]).covers == "new seeds, new groups"
    # Without the seeds' part, the same intervals are too narrow.
    over_groups = [interval(Sample(s.observed.mean(keepdims=True), s.drawn.mean(0)[None], 60)) for s in drawn]
    assert covered(over_groups, truth) < 0.9


def differences(rng, seeds, *, gain=0.0, simulations=800):
    """Paired differences of two rows whose videos are equally hard for both."""
    groups, clips = 60, 8
    logit = 0.3 + rng.normal(0, 1, (simulations, 1, 1, groups, 1))
    logit = logit + rng.normal(0, 0.5, (simulations, 2, seeds, groups, 1))
    logit[:, 0] += gain
    right = rng.random((simulations, 2, seeds, groups, clips)) < 1 / (1 + np.exp(-logit))
    pair = [samples(right[:, k], names(groups, clips), 300) for k in range(2)]
    return [compare(one, other) for one, other in zip(*pair, strict=True)]


def test_a_p_value_is_the_level_at_which_the_interval_ends_at_0():
    rng = np.random.default_rng(15)
    for gain in (0.0, 0.5, 2.0):
        difference = sample_of(crossed(rng, 5, 20, of_seeds=0.5) + gain)
        result = compare(difference, sample_of(np.zeros((5, 20))))
        of_seeds, of_groups = spread(difference)
        rest = anova(difference.drawn)[2] / 5  # the draws' own rest is that of the groups' mean
        t_seeds, t_groups = (stats.t.isf(result.p / 2, freedom) for freedom in (4, 19))
        both = t_seeds**2 * of_seeds + t_groups**2 * (of_groups - rest)
        assert result.mean**2 == pytest.approx(max(both, t_groups**2 * of_groups), rel=0.02)
        assert (result.p < 0.05) == (not result.low <= 0 <= result.high)


def test_a_difference_that_nothing_varies_has_the_p_value_of_the_sign_test():
    one, other = sample_of(np.ones((3, 7))), sample_of(np.full((3, 7), 0.6))
    result = compare(one, other)
    assert result.p == pytest.approx(stats.binomtest(7, 7).pvalue)
    assert 0 < result.low < result.mean < result.high
    assert compare(sample_of(np.ones((3, 900))), sample_of(np.zeros((3, 900)))).p < 1e-9


def test_the_surest_difference_has_a_p_value_that_is_not_0():
    values = crossed(np.random.default_rng(16), 10, 100) * 1e-9 + 1
    assert 0 < compare(sample_of(values), sample_of(np.zeros_like(values))).p < 1e-9


def test_several_seeds_err_on_the_careful_side():
    pairs = differences(np.random.default_rng(16), seeds=3, simulations=400)
    assert np.mean([one.p < 0.05 for one in pairs]) <= 0.05
    assert covered(pairs, 0.0) >= 0.95


def test_pairing_finds_a_gain_that_separate_intervals_hide():
    rng = np.random.default_rng(17)
    groups, clips, seeds = 60, 8, 5
    logit = rng.normal(0, 1.5, (groups, 1))
    draw = rng.random((seeds, groups, clips))
    pair = [(draw < 1 / (1 + np.exp(-logit - gain)))[None] for gain in (0.35, 0.0)]
    one, other = (samples(right, names(groups, clips), 2000)[0] for right in pair)
    assert interval(one).low < interval(other).high
    difference = compare(one, other)
    assert difference.p < 0.001
    assert difference.low > 0
    back = compare(other, one)
    assert (back.mean, back.low, back.p) == pytest.approx((-difference.mean, -difference.high, difference.p))


def test_a_row_does_not_differ_from_itself_and_samples_of_other_draws_do_not_mix():
    sample = Sample(np.array([0.5, 0.5]), np.linspace(0.4, 0.6, 60).reshape(2, 30), groups=9)
    same = compare(sample, sample)
    assert (same.mean, same.low, same.high, same.p) == (0, 0, 0, 1.0)
    with pytest.raises(ValueError, match="same seeds, draws and groups"):
        compare(sample, Sample(np.array([0.5, 0.5]), np.zeros((2, 31)), groups=9))
    with pytest.raises(ValueError, match="same seeds, draws and groups"):
        compare(sample, Sample(np.array([0.5, 0.5]), np.zeros((2, 30)), groups=8))


def slow_holm(p):
    """Step down: the k-th smallest of m times m - k + 1, never below an earlier one, never above 1."""
    adjusted, least = [0.0] * len(p), 0.0
    for k, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        least = max(least, (len(p) - k) * p[i])
        adjusted[i] = min(1.0, least)
    return adjusted


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_equals_its_definition(p):
    assert holm(p) == pytest.approx(slow_holm(p))


def test_holm_keeps_the_chance_of_any_false_alarm_below_five_per_cent():
    rng = np.random.default_rng(18)
    families = rng.random((4000, 10))
    assert np.mean([min(holm(family)) < 0.05 for family in families]) == pytest.approx(0.05, abs=0.01)


def test_rank_ranges_hold_every_order_that_respects_what_is_separable():
    random.seed(5)
    for _ in range(30):
        count = random.randint(1, 5)
        order = random.sample(range(count), count)
        better = np.zeros((count, count), dtype=bool)
        for one, other in itertools.combinations(range(count), 2):
            better[order[one], order[other]] = random.random() < 0.5
        # Separable by a chain counts too: close the relation.
        for middle, one, other in itertools.product(range(count), repeat=3):
            better[one, other] |= better[one, middle] & better[middle, other]
        allowed = [
            ranking
            for ranking in itertools.permutations(range(count))
            if all(ranking.index(i) < ranking.index(j) for i, j in zip(*np.nonzero(better), strict=True))
        ]
        for i, (low, high) in enumerate(rank_ranges(better)):
            places = [ranking.index(i) + 1 for ranking in allowed]
            assert (low, high) == (min(places), max(places))


def test_groups_that_are_each_drawn_alone_say_nothing_of_how_they_vary():
    sample = Sample(np.array([0.5, 0.6]), np.linspace(0.4, 0.6, 60).reshape(2, 30), groups=6, strata=6)
    assert interval(sample).low is None
    with pytest.raises(ValueError, match="a test needs"):
        compare(sample, sample)
