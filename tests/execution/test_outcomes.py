"""Class scores that cannot be stored are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from harness.cards import EvaluatorCard, Metric
from harness.errors import HarnessError
from harness.execution.outcomes import expect_storable
from harness.values import ClassScores, Evaluation, Predictions, Score

LOG_ODDS = ClassScores("log-odds", np.zeros((1, 2, 3), np.float32))
TOP1 = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True, bounds=(0.0, 1.0))
CARD = EvaluatorCard(name="votes", summary="A vote.", protocol="none", metrics=(TOP1,))
PREDICTIONS = Predictions(("a", "b"), ("", ""), (0, 2), ((0, 1), (0, 2), (1, 2)))


def expect(scores, predictions=PREDICTIONS):
    expect_storable(Evaluation((Score("top1", 0.5),), predictions, class_scores=scores), CARD)


def scores_of(*shape):
    return ClassScores("logits", np.zeros(shape, np.float16))


def probabilities(row):
    return ClassScores("probabilities", np.array([[row, [0, 1, 0]]], np.float16))


def log_odds(*sets):
    return replace(PREDICTIONS, predicted=(), multilabels=sets)


def test_log_odds_are_of_videos_with_sets_of_classes():
    expect(LOG_ODDS, log_odds((0, 2), ()))


@pytest.mark.parametrize("repeats", [1, 3])
def test_scores_of_the_videos_that_are_predicted_can_be_stored(repeats):
    expect(scores_of(repeats, 2, 3))


@pytest.mark.parametrize(
    ("scores", "predictions", "problem"),
    [
        (np.zeros((1, 2, 3), np.float16), PREDICTIONS, "that are ndarray; expected ClassScores"),
        (scores_of(1, 2, 3), None, "without predictions"),
        (scores_of(2, 2, 3), PREDICTIONS, "of 2 repeats of 2 videos; expected 3 or 1 repeats of 2 videos"),
        (scores_of(1, 3, 3), PREDICTIONS, "of 1 repeats of 3 videos"),
        (scores_of(1, 2, 2), PREDICTIONS, "of 2 classes; the labels have class 2"),
        (scores_of(1, 2, 3), replace(PREDICTIONS, labels=(0, -1)), "of videos without a class"),
        (LOG_ODDS, replace(PREDICTIONS, predicted=()), "of the kind 'log-odds', .* with multilabels of 0 videos"),
        (LOG_ODDS, log_odds((), ()), "of videos without a class"),
        (LOG_ODDS, log_odds((), (1, 3)), "of 3 classes; the labels have class 3"),
        (probabilities([0, 0, 0]), PREDICTIONS, "of the kind 'probabilities', which are not"),
        (probabilities([2, -1, 0]), PREDICTIONS, "of the kind 'probabilities', which are not"),
        (probabilities([0.5, 0.2, 0.1]), PREDICTIONS, "of the kind 'probabilities', which are not"),
        (ClassScores("margins", np.full((1, 2, 3), np.inf, np.float16)), PREDICTIONS, "which are not finite"),
    ],
)
def test_others_are_named(scores, predictions, problem):
    with pytest.raises(HarnessError, match=f"evaluator 'votes' gave class scores {problem}"):
        expect(scores, predictions)


def test_a_limit_on_their_bytes(monkeypatch):
    monkeypatch.setattr("harness.execution.outcomes.LARGEST_SCORES", 11)
    with pytest.raises(HarnessError, match="gave class scores of 0 MB; at most 0 MB are stored"):
        expect(scores_of(1, 2, 3))
