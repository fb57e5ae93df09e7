"""Runs computed again, compared with the stored ones."""

from __future__ import annotations

import dataclasses

import pytest

from harness.evaluators.cards import CLUSTERING, KNN, THROUGHPUT
from harness.execution.verification import TOLERANCE, compare, new_home, within_tolerance
from harness.store.choices import Choice
from harness.store.records import CellSpec, Run
from harness.values import Predictions, Score

CELL = CellSpec(
    method=Choice(name="sfa"),
    backbone=Choice(name="small_2d"),
    pretraining=Choice(name="blobs"),
    frames=512,
    evaluator=Choice(name="knn"),
    data=Choice(name="blobs"),
    seed=0,
)


@pytest.fixture
def run():
    """Build a run of four videos with two repeats, changed by keywords."""
    predictions = Predictions(
        videos=tuple("abcd"),
        groups=("",) * 4,
        labels=(0, 0, 1, 1),
        predicted=((0, 0, 1, 1), (0, 0, 1, 0)),
        values={"top1": ((1, 1, 1, 0.5),)},
    )
    content = {
        "key": "0" * 20,
        "fit_key": "1" * 20,
        "identity": CELL,
        "status": "done",
        "supervised": False,
        "scores": (Score("top1", 0.875, 0.5), Score("top1_1", 0.5)),
        "predictions": predictions,
        "protocol": {},
        "protocol_id": "",
        "provenance": {"threads": 2, "libraries": {"torch": "2.13.0"}},
    }
    return lambda **changes: Run(**{**content, **changes})


def test_equal_runs_are_equal_whenever_they_were_made(run):
    later = run(provenance={"threads": 2, "libraries": {"torch": "2.13.0"}, "finished": "later", "commit": "abc"})
    verdict = compare(run(), later, KNN)
    assert (verdict.outcome, verdict.scores, verdict.predictions, verdict.made_with) == ("equal", (), 0, {})


@pytest.mark.parametrize(("change", "outcome"), [(0.0049, "within tolerance"), (0.0051, "different")])
def test_scores_are_compared_with_the_tolerance(run, change, outcome):
    scores = (Score("top1", 0.875 - change, 0.5), Score("top1_1", 0.5))
    verdict = compare(run(), run(scores=scores), KNN)
    assert verdict.outcome == outcome
    (score,) = verdict.scores
    assert (score.metric, score.stored, score.computed) == ("top1", 0.875, 0.875 - change)
    assert verdict.largest == score


def test_a_score_that_is_gone_is_different(run):
    verdict = compare(run(), run(scores=(Score("top1", 0.875),)), KNN)
    assert verdict.outcome == "different"
    assert verdict.scores[0].computed is None
    assert verdict.largest is None


@pytest.mark.parametrize("part", ["predicted", "values"])
def test_videos_with_another_prediction_are_counted_once(run, part):
    stored = run()
    changes = {"predicted": ((1, 0, 1, 1), (1, 0, 1, 0)), "values": {"top1": ((1, 1, 1, 0.25),)}}
    predictions = dataclasses.replace(stored.predictions, **{part: changes[part]})
    verdict = compare(stored, run(predictions=predictions), KNN)
    assert (verdict.outcome, verdict.predictions) == ("within tolerance", 1)


@pytest.mark.parametrize(
    "change",
    [
        {
            "videos": tuple("abcde"),
            "groups": tuple("ghijk"),
            "labels": (0, 0, 1, 1, 1),
            "predicted": ((0, 0, 1, 1, 1),) * 2,
            "values": {"top1": ((1,) * 5,)},
        },
        {"videos": tuple("abce")},
        {"predicted": ((0, 0, 1, 1),)},
        {"values": {"top1": ((1, 1, 1, 0.5),) * 2}},
        {"values": {"top1": ((1, 1, 1, 0.5),), "top5": ((1, 1, 1, 1),)}},
    ],
)
def test_predictions_of_other_videos_repeats_or_metrics_are_different(run, change):
    stored = run()
    verdict = compare(stored, run(predictions=dataclasses.replace(stored.predictions, **change)), KNN)
    assert (verdict.outcome, verdict.reason) == ("different", "other test videos, repeats or values")
    assert compare(run(predictions=None), stored, KNN).outcome == "equal"


def test_a_new_home_has_the_data_of_a_relative_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_HOME", "own")
    (tmp_path / "new").mkdir()
    new = new_home(tmp_path / "new")
    (tmp_path / "own" / "datasets" / "drawn").touch()
    assert (new / "datasets" / "drawn").is_file()


def test_a_failure_is_different_and_says_why(run):
    verdict = compare(run(), run(status="oom", reason="tried to allocate", scores=(), predictions=None), KNN)
    assert verdict.outcome == "different"
    assert verdict.reason == "stored and computed: done and oom tried to allocate"


def test_what_the_runs_were_made_with_is_named_where_it_differs(run):
    verdict = compare(run(), run(provenance={"threads": 1, "libraries": {"torch": "2.13.0"}, "ffmpeg": {}}), KNN)
    assert verdict.made_with == {"threads": ("2", "1")}


def test_times_are_not_compared(run):
    stored, computed = (run(scores=(Score("clips_per_s", speed), Score("gflop", 3.0))) for speed in (100.0, 200.0))
    assert compare(stored, computed, THROUGHPUT).outcome == "equal"
    other = run(scores=(Score("clips_per_s", 100.0), Score(THROUGHPUT.metrics[-1].id, 4.0)))
    assert compare(stored, other, THROUGHPUT).outcome == "different"


def test_the_tolerance_is_a_share_of_the_range_or_of_the_value():
    metrics = {metric.id: metric for metric in CLUSTERING.metrics}
    assert metrics["ami"].bounds == (-1.0, 1.0)
    assert within_tolerance(metrics["ami"], 0.0, 2 * TOLERANCE)
    assert not within_tolerance(metrics["ami"], 0.0, 2.1 * TOLERANCE)
    bits = metrics["conditional_entropy"]
    assert bits.bounds == (0.0, None)
    assert within_tolerance(bits, 2.0, 2.0 * (1 - TOLERANCE))
    assert not within_tolerance(bits, 2.0, 2.0 * (1 - 1.1 * TOLERANCE))
    assert within_tolerance(bits, 0.0, 0.0)
