"""Two runs compared: counts by hand, differences as a paired slow twin gives them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from harness.errors import UsageError
from harness.evaluators.cards import INFLUENCES
from harness.leaderboard.run_pairs import pair_runs
from harness.leaderboard.statistics import group_weights
from harness.values import Predictions, Score

from .cards import CARDS, TOP1
from .conftest import COLUMNS, ROWS, fake_run


def hits(run):
    predictions = run.predictions
    return np.asarray(predictions.predicted[0]) == np.asarray(predictions.labels)


@pytest.fixture(scope="module")
def runs():
    return fake_run(ROWS[0], COLUMNS[0], 0), fake_run(ROWS[5], COLUMNS[0], 0)


def test_videos_are_counted_by_who_gets_them_right(runs):
    one, other = map(hits, runs)
    pair = pair_runs(*runs, CARDS)
    assert pair.both_wrong == tuple(np.flatnonzero(~one & ~other))
    assert pair.only_one == tuple(np.flatnonzero(one & ~other))
    assert pair.only_other == tuple(np.flatnonzero(~one & other))
    assert pair.both_right == tuple(np.flatnonzero(one & other))


def test_the_difference_is_paired_and_its_interval_by_groups(runs):
    one, other = (hits(run).astype(float) for run in runs)
    (score,) = pair_runs(*runs, CARDS).metrics
    assert (score.one, score.other) == pytest.approx((one.mean(), other.mean()))
    assert score.difference.mean == pytest.approx(other.mean() - one.mean())
    weights = group_weights(runs[0].predictions.groups)
    drawn = weights @ (other - one) / weights.sum(axis=1)  # the twin: every draw, every video
    groups = len(set(runs[0].predictions.groups))
    half = 2.0154 * np.sqrt(drawn.var() * groups / (groups - 1))  # t of 44 degrees of freedom
    assert (score.difference.low, score.difference.high) == pytest.approx(
        (score.difference.mean - half, score.difference.mean + half), abs=1e-4
    )
    assert score.difference.covers == "this fit, new groups"


def test_classes_and_groups_add_up_to_the_whole(runs):
    pair = pair_runs(*runs, CARDS, classes=tuple(f"c{number}" for number in range(15)))
    whole = pair.metrics[0].difference.mean
    for parts in (pair.classes, pair.groups):
        videos = sum(part.videos for part in parts)
        assert videos == 225
        assert sum(part.difference.mean * part.videos for part in parts) / videos == pytest.approx(whole)
        sizes = [abs(part.difference.mean) for part in parts]
        assert sizes == sorted(sizes, reverse=True)
    assert {part.name for part in pair.classes} == {f"c{number}" for number in range(15)}
    assert pair_runs(*runs, CARDS).classes[0].name.startswith("class ")


def test_a_run_beside_itself_differs_nowhere(runs):
    pair = pair_runs(runs[0], runs[0], CARDS)
    assert (pair.metrics[0].difference.mean, pair.only_one, pair.only_other) == (0.0, (), ())


def test_a_metric_that_grades_videos_has_no_right_and_wrong(runs):
    """Nor does one class tell more than the whole."""
    graded = dataclasses.replace(TOP1, statistic="mean")
    card = dataclasses.replace(CARDS[runs[0].identity.evaluator.name], metrics=(graded,))

    def run_of(values):
        old = runs[0].predictions
        predictions = Predictions(old.videos, old.groups, (0,) * len(old.videos), values={"top1": (values,)})
        return runs[0].model_copy(update={"predictions": predictions})

    count = len(runs[0].predictions.videos)
    half, all_right = run_of((0.5,) * count), run_of((1.0,) * count)
    pair = pair_runs(half, all_right, {card.name: card})
    assert (pair.both_right, pair.only_other, pair.both_wrong, pair.classes) == ((), (), (), ())
    assert pair.metrics[0].difference.mean == pytest.approx(0.5)
    wrong = pair_runs(run_of((0.0,) * count), all_right, {card.name: card})
    assert len(wrong.only_other) == count


def test_evaluators_with_a_metric_in_common_are_compared(runs):
    pair = pair_runs(runs[0], fake_run(ROWS[0], COLUMNS[1], 0), CARDS)
    assert [score.metric.id for score in pair.metrics] == ["top1"]


def test_of_clusterings_there_is_the_whole_alone():
    pair = pair_runs(fake_run(ROWS[0], COLUMNS[2], 0), fake_run(ROWS[1], COLUMNS[2], 0), CARDS)
    assert [score.metric.id for score in pair.metrics] == ["conditional_entropy"]
    assert (pair.metric, pair.classes, pair.both_wrong) == (None, (), ())


def test_what_cannot_be_compared_is_named(runs):
    failed = fake_run(ROWS[0], COLUMNS[0], 1, status="oom", reason="too large")
    with pytest.raises(UsageError, match="is oom: too large"):
        pair_runs(runs[0], failed, CARDS)
    with pytest.raises(UsageError, match="no metric in common"):
        pair_runs(runs[0], fake_run(ROWS[0], COLUMNS[2], 0), CARDS)
    predictions = runs[0].predictions
    others = runs[0].model_copy(update={"predictions": type(predictions)(("x",), ("g",), (0,), ((0,),))})
    with pytest.raises(UsageError, match="expected runs on the same videos"):
        pair_runs(runs[0], others, CARDS)
    with pytest.raises(UsageError, match="stores no predictions"):
        pair_runs(runs[0], runs[0].model_copy(update={"predictions": None}), CARDS)


def test_the_difference_is_of_the_videos_of_both_though_every_group_has_some(runs):
    def stored(run, values):
        names, groups = zip(*((f"v{i}", f"g{i // 2}") for i in range(len(values))), strict=True)
        predictions = Predictions(names, groups, (0,) * len(values), (), {"hits": (values,)})
        return run.model_copy(update={"predictions": predictions, "scores": (Score("hits", 0.5),)})

    hits = dataclasses.replace(TOP1, id="hits", statistic="mean")
    cards = {"linear_probe": dataclasses.replace(CARDS["linear_probe"], metrics=(hits,))}
    pair = pair_runs(stored(runs[0], (0, 1) * 7), stored(runs[1], (None, 1) * 7), cards)
    assert (pair.metrics[0].videos, pair.metrics[0].difference.mean) == (7, 0.0)


def test_other_sets_of_classes_cannot_be_compared(runs):
    def of(run, sets):
        predictions = dataclasses.replace(run.predictions, multilabels=sets)
        return run.model_copy(update={"predictions": predictions})

    count = len(runs[0].predictions.videos)
    with pytest.raises(UsageError, match="expected runs on the same videos and labels"):
        pair_runs(of(runs[0], ((0,),) * count), of(runs[1], ((0, 1),) * count), CARDS)


def test_videos_that_do_not_count_are_neither_right_nor_wrong(runs):
    def stored(run, values):
        names = tuple(f"v{i}" for i in range(len(values)))
        predictions = Predictions(names, names, (0,) * len(values), (), {"hits": (values,)})
        return run.model_copy(update={"predictions": predictions, "scores": (Score("hits", 0.5),)})

    hits = dataclasses.replace(TOP1, id="hits", statistic="mean")
    cards = {"linear_probe": dataclasses.replace(CARDS["linear_probe"], metrics=(hits,))}
    one, other = (1, 0, None, 0, 1, 1, 0, 1), (1, 1, 0, None, 0, 1, 0, 1)
    pair = pair_runs(stored(runs[0], one), stored(runs[1], other), cards)
    found = pair.both_right, pair.both_wrong, pair.only_one, pair.only_other
    assert found == ((0, 5, 7), (6,), (4,), (1,))
    assert pair.metrics[0].difference.mean == pytest.approx(0.0)  # of the six that count in both
    assert pair.metrics[0].videos == 6
    own = runs[1].model_copy(update={"notes": {INFLUENCES: ["hits"]}})
    whole = pair_runs(stored(runs[0], (1, 1, None)), stored(own, (1, 0, 0)), cards).metrics[0].difference
    assert (whole.mean, whole.low) == (pytest.approx(1 / 3 - 1), None)  # of whole scores, which no part adds up to
    error = dataclasses.replace(hits, higher_is_better=False)
    cards = {"linear_probe": dataclasses.replace(CARDS["linear_probe"], metrics=(error,))}
    pair = pair_runs(stored(runs[0], one), stored(runs[1], other), cards)
    assert (pair.both_right, pair.both_wrong, pair.only_one, pair.only_other) == ((), (), (), ())
