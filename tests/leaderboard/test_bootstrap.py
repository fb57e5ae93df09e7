"""What is drawn for whole groups equals what copies of videos give."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from harness.cards import Metric
from harness.errors import UsageError
from harness.functional.statistics import STATISTICS, of_predictions
from harness.leaderboard import bootstrap
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import group_weights, sampled_groups
from harness.values import Predictions

GROUPS = ("a", "a", "b", "c", "c", "c", "d")


def metric(statistic, name="m"):
    return Metric(id=name, title="M", unit="1", higher_is_better=True, statistic=statistic)


def bootstrap_of(groups, draws=20):
    weights = group_weights(groups, draws)
    return Bootstrap(GroupDraws.of(groups, weights)), weights


def run_of(labels, predicted, groups=GROUPS, values=()):
    videos = tuple(f"v{i}" for i in range(len(labels)))
    return Predictions(videos, tuple(groups), tuple(labels), tuple(map(tuple, predicted)), dict(values))


def test_every_statistic_of_predictions_can_be_drawn():
    assert set(bootstrap.STATISTICS) == set(STATISTICS)


def test_a_sample_equals_a_slow_twin_that_copies_videos():
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 7)
    runs = [run_of(labels.tolist(), rng.integers(0, 3, (2, 7)).tolist()) for _ in range(2)]
    drawn, weights = bootstrap_of(GROUPS)
    names = [name for name in STATISTICS if name != "mean"]
    for name, sample in zip(names, drawn.resample(runs, [metric(name) for name in names]), strict=True):
        statistic = STATISTICS[name]
        assert sample.groups == 4
        for s, run in enumerate(runs):
            for b, weight in enumerate(weights):
                copies = np.repeat(np.arange(7), weight.astype(int))
                repeats = [statistic(torch.tensor(labels[copies]), torch.tensor(row)[copies]) for row in run.predicted]
                assert sample.drawn[s, b] == pytest.approx(float(torch.stack(repeats).mean()), abs=1e-9)
            whole = [statistic(torch.tensor(labels), torch.tensor(row)) for row in run.predicted]
            assert sample.observed[s] == pytest.approx(float(torch.stack(whole).mean()), abs=1e-9)


def test_a_sample_equals_a_slow_twin_on_values_of_which_some_are_missing():
    rng = np.random.default_rng(4)
    rows = rng.random((2, 7))
    stored = [[None if (row, i) == (1, 2) else float(rows[row, i]) for i in range(7)] for row in range(2)]
    run = run_of([0] * 7, [], values={"m": tuple(map(tuple, stored))})
    drawn, weights = bootstrap_of(GROUPS)
    (sample,) = drawn.resample([run], [metric("mean")])
    rows[1, 2] = np.nan
    for b, weight in enumerate(weights):
        copies = rows[:, np.repeat(np.arange(7), weight.astype(int))]
        assert sample.drawn[0, b] == pytest.approx(np.nanmean(copies, axis=1).mean())
    assert sample.observed[0] == pytest.approx(np.nanmean(rows, axis=1).mean())


def test_groups_without_a_video_that_counts_are_not_counted_and_draws_of_them_alone_are_not_a_number():
    values = tuple((1.0, 0.0, None, None, None, None, 1.0) for _ in range(2))
    run = run_of([0] * 7, [], values={"m": values, "whole": tuple((0.5,) * 7 for _ in range(2))})
    drawn, weights = bootstrap_of(GROUPS, 400)
    part, whole = drawn.resample([run], [metric("mean"), metric("mean", "whole")])
    assert (part.groups, whole.groups) == (2, 4)
    empty = weights[:, [0, 1, 6]].sum(axis=1) == 0
    assert empty.any()
    assert (np.isnan(part.drawn[0]) == empty).all()
    assert set(whole.drawn[0]) == {0.5}


@pytest.mark.parametrize("sizes", [(7,) * 12, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10)])
@pytest.mark.parametrize("clusters", [3, 5, 9])
def test_clusterings_have_the_figures_of_the_general_functions(sizes, clusters):
    """More clusters than classes, fewer, as many; groups of one size, and of several."""
    rng = np.random.default_rng(clusters)
    groups = [f"g{i}" for i, size in enumerate(sizes) for _ in range(size)]
    labels = rng.integers(0, 5, len(groups))
    predicted = np.where(rng.random((3, len(groups))) < 0.5, labels % clusters, rng.integers(0, clusters, len(groups)))
    runs = [run_of(labels.tolist(), rows.tolist(), groups) for rows in (predicted, predicted[::-1] * 2)]
    drawn, weights = bootstrap_of(groups, 200)
    metrics = [metric(name) for name in STATISTICS if name != "mean"]
    for one, sample in zip(metrics, drawn.resample(runs, metrics), strict=True):
        for seed, run in enumerate(runs):
            slow = of_predictions(run, one, torch.from_numpy(weights)).mean(dim=0).numpy()
            np.testing.assert_allclose(sample.drawn[seed], slow, atol=2e-12, rtol=0)
            assert sample.observed[seed] == pytest.approx(float(of_predictions(run, one).mean()), abs=2e-12)


def test_trivial_partitions_have_the_figures_of_the_general_functions():
    groups = tuple("aabbccdd")
    runs = [run_of([0, 1] * 4, [rows], groups) for rows in ([0] * 8, [0, 1] * 4, list(range(8)))]
    runs += [run_of([0] * 8, [rows], groups) for rows in ([3] * 8, list(range(8)))]
    for run in runs:
        drawn, weights = bootstrap_of(groups, 30)
        metrics = [metric(name) for name in STATISTICS if name != "mean"]
        for one, sample in zip(metrics, drawn.resample([run], metrics), strict=True):
            slow = of_predictions(run, one, torch.from_numpy(weights)).mean(dim=0).numpy()
            np.testing.assert_allclose(sample.drawn[0], slow, atol=2e-12, rtol=0, err_msg=one.statistic)


def test_predictions_are_of_the_same_videos_in_every_seed_and_of_as_many_as_the_draws():
    one = Predictions(("a", "b"), ("g", "h"), (0, 1), ((0, 1),))
    other = Predictions(("a", "c"), ("g", "h"), (0, 1), ((0, 1),))
    drawn, _ = bootstrap_of(("g", "h"), 5)
    with pytest.raises(ValueError, match="same videos"):
        drawn.resample([one, other], [metric("accuracy")])
    with pytest.raises(ValueError, match="videos and labels for 2 videos, got 3 videos and 3 labels"):
        drawn.resample([Predictions(("a", "b", "c"), ("g", "h", "h"), (0, 1, 1), ((0, 1, 1),))], [metric("accuracy")])
    with pytest.raises(ValueError, match="videos and labels for 2 videos, got 2 videos and 0 labels"):
        drawn.resample([Predictions(("a", "b"), ("g", "h"), (), ((0, 1),))], [metric("accuracy")])
    with pytest.raises(ValueError, match="no values of m"):
        drawn.resample([one], [metric("mean")])
    with pytest.raises(UsageError, match="did you mean 'accuracy'"):
        drawn.resample([one], [metric("acuracy")])
    with pytest.raises(ValueError, match="weights for 2 videos, got 3"):
        GroupDraws.of(("g", "h"), np.ones((5, 3)))


def test_a_bootstrap_goes_to_another_process_without_what_it_remembers():
    run = run_of([0, 1, 2, 0, 1, 2, 0], [[0, 1, 2, 1, 1, 2, 0]])
    drawn, _ = bootstrap_of(GROUPS)
    before = len(pickle.dumps(drawn))
    (sample,) = drawn.resample([run], [metric("adjusted_mutual_information")])
    other = pickle.loads(pickle.dumps(drawn))
    assert len(pickle.dumps(drawn)) < 2 * before
    (again,) = other.resample([run], [metric("adjusted_mutual_information")])
    assert (again.drawn == sample.drawn).all()


def test_a_video_without_a_group_is_a_group_of_its_own():
    rng = np.random.default_rng(18)
    videos, labels = tuple(f"v{i}" for i in range(9)), tuple(rng.integers(0, 2, 9).tolist())
    runs = [
        Predictions(videos, groups, labels, (tuple(rng.integers(0, 2, 9).tolist()),))
        for groups in (("",) * 9, videos, ("g", "g", "g", *("",) * 6))
    ]
    assert [len(set(sampled_groups(run))) for run in runs] == [9, 9, 7]
    samples = [bootstrap_of(sampled_groups(run))[0].resample([run], [metric("accuracy")])[0] for run in runs]
    assert [sample.groups for sample in samples] == [9, 9, 7]
    assert (group_weights(sampled_groups(runs[0])) == group_weights(videos)).all()
