"""Scores of parts of a test set: by hand, and as a board computes them of the whole."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from harness.errors import UsageError
from harness.evaluators.cards import INFLUENCES
from harness.leaderboard.bootstrap import Bootstrap
from harness.leaderboard.group_draws import GroupDraws
from harness.leaderboard.statistics import group_weights, interval
from harness.leaderboard.video_terms import VideoTerms, scores_by, term_metric
from harness.testing.fixtures import MovingSquares
from harness.values import Predictions

from .cards import CARDS, TOP1
from .conftest import COLUMNS, ROWS, fake_run


@pytest.fixture(scope="module")
def run():
    return fake_run(ROWS[0], COLUMNS[0], 0)


def test_the_mean_over_all_videos_is_the_boards(run):
    groups = run.predictions.groups
    bootstrap = Bootstrap(GroupDraws.of(groups, group_weights(groups)))
    (sample,) = bootstrap.resample([run.predictions], [TOP1])
    whole = VideoTerms.of(run, TOP1).mean(range(len(groups)), TOP1.bounds)
    expected = interval(sample, TOP1.bounds)
    assert whole.videos == len(groups)
    assert whole.groups == len(set(groups))
    assert dataclasses.astuple(whole.interval)[:3] == pytest.approx(dataclasses.astuple(expected)[:3])
    assert whole.interval.mean == pytest.approx(run.score("top1").value)


def test_parts_are_counted_by_hand(run):
    terms = VideoTerms.of(run, TOP1)
    predictions = run.predictions
    right = [int(a == b) for a, b in zip(predictions.predicted[0], predictions.labels, strict=True)]
    assert terms.values.tolist() == right
    few = terms.mean(range(20), TOP1.bounds)  # four groups: no interval
    assert (few.interval.mean, few.interval.low, few.groups) == (sum(right[:20]) / 20, None, 4)


def test_values_left_out_do_not_count(run):
    metric = dataclasses.replace(TOP1, id="hits", statistic="mean")
    predictions = Predictions(("a", "b", "c"), ("", "", ""), (0, 0, 0), (), {"hits": ((1, None, 0), (0, None, None))})
    stored = run.model_copy(update={"predictions": predictions})
    terms = VideoTerms.of(stored, metric)
    assert np.isnan(terms.values).tolist() == [False, True, False]
    assert terms.mean([0, 1, 2]).interval.mean == pytest.approx((0.5 + 0.0) / 2)
    assert terms.mean([1]).interval is None
    with pytest.raises(UsageError, match="no predictions of single videos"):
        VideoTerms.of(run.model_copy(update={"predictions": None}), TOP1)


def test_an_evaluator_without_a_mean_over_videos_says_so(run):
    assert term_metric(CARDS["few_shot"], run).id == "top1_5"
    with pytest.raises(UsageError, match=r"clustering.*whole test set"):
        term_metric(CARDS["clustering"], run)
    influences = run.model_copy(update={"notes": {INFLUENCES: ["top1"]}})
    with pytest.raises(UsageError, match=r"none of its metrics is a mean over videos"):
        term_metric(CARDS["knn"], influences)


@pytest.fixture
def measured(run):
    """A run on the moving squares' test split, right for the first two classes, and the split."""
    split = MovingSquares().split("test")
    labels = tuple(video.labels["action"] for video in split.videos)
    predicted = tuple(label if label < 2 else 0 for label in labels)
    names, groups = zip(*((video.id, video.group) for video in split.videos), strict=True)
    predictions = Predictions(names, groups, labels, (predicted,))
    return run.model_copy(update={"predictions": predictions}), split


def test_scores_by_label(measured):
    run, split = measured
    metric, parts = scores_by(run, CARDS["knn"], split, "action")
    assert metric == TOP1
    assert {name: (part.interval.mean, part.videos) for name, part in parts.items()} == {
        "left": (1.0, 8),
        "right": (1.0, 8),
        "up": (0.0, 8),
        "down": (0.0, 8),
    }
    with pytest.raises(UsageError, match="did you mean 'action'"):
        scores_by(run, CARDS["knn"], split, "acton")


def test_scores_by_length_are_of_quarters(measured):
    run, split = measured
    videos = tuple(dataclasses.replace(video, frames=10 + place, fps=10.0) for place, video in enumerate(split.videos))
    _, parts = scores_by(run, CARDS["knn"], dataclasses.replace(split, videos=videos), "length")
    assert [part.videos for part in parts.values()] == [8, 8, 8, 8]
    assert next(iter(parts)) == "1.0 to 1.7 s"
    assert math.fsum(part.interval.mean for part in parts.values()) / 4 == pytest.approx(0.5)


def test_videos_of_unknown_length_are_put_into_no_quarter(measured):
    run, split = measured
    videos = (dataclasses.replace(split.videos[0], fps=0.0), *split.videos[1:])
    with pytest.raises(UsageError, match=f"lengths of 1 videos are unknown, such as {videos[0].id}"):
        scores_by(run, CARDS["knn"], dataclasses.replace(split, videos=videos), "length")


def test_a_run_on_other_videos_is_named(run):
    with pytest.raises(UsageError, match="225 of its videos are not in the test split, such as v_00_c0"):
        scores_by(run, CARDS["linear_probe"], MovingSquares().split("test"), "action")
