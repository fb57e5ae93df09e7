"""Measures of class scores: closed forms, scikit-learn, and a slow loop for calibration."""

from __future__ import annotations

import math

import pytest
import torch
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss

from harness.functional.class_scores import (
    LEAST,
    brier_score,
    expected_calibration_error,
    mean_average_precision,
    negative_log_likelihood,
)

MEASURES = (expected_calibration_error, negative_log_likelihood, brier_score)


def draw(seed, n=60, classes=5, repeats=3, digits=None):
    """Probabilities (R, N, C), some of them equal where they are rounded, and labels that leave class 1 out."""
    generator = torch.Generator().manual_seed(seed)
    probabilities = torch.randn(repeats, n, classes, generator=generator, dtype=torch.float64).mul(2).softmax(-1)
    labels = torch.randint(classes, (n,), generator=generator)
    return probabilities if digits is None else probabilities.round(decimals=digits), labels.where(labels != 1, 0)


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("seed", range(3))
def test_mean_average_precision_is_that_of_scikit_learn_over_the_classes_that_are_there(seed, digits):
    scores, labels = draw(seed, digits=digits)
    expected = [
        sum(average_precision_score(labels == c, one[:, c]) for c in (0, 2, 3, 4)) / 4 for one in scores.numpy()
    ]
    assert mean_average_precision(scores, one_hot(labels, 5)).tolist() == pytest.approx(expected, abs=1e-12)


def test_videos_without_a_class_that_are_ranked_last_do_not_count():
    """So public scripts for Charades take them."""
    scores, labels = draw(0, repeats=1)
    last = torch.full((1, 7, 5), -math.inf, dtype=scores.dtype)
    membership = torch.cat([one_hot(labels, 5), torch.zeros(7, 5, dtype=torch.bool)])
    found = mean_average_precision(torch.cat([scores, last], 1), membership)
    torch.testing.assert_close(found, mean_average_precision(scores, one_hot(labels, 5)))


@pytest.mark.parametrize("seed", range(3))
def test_likelihood_and_brier_score_are_those_of_scikit_learn(seed):
    probabilities, labels = draw(seed)
    true, classes = labels.numpy(), list(range(5))
    for place, one in enumerate(probabilities.numpy()):
        assert negative_log_likelihood(probabilities, labels)[place].item() == pytest.approx(
            log_loss(true, one, labels=classes), rel=1e-12
        )
        assert brier_score(probabilities, labels)[place].item() == pytest.approx(
            brier_score_loss(true, one, labels=classes, scale_by_half=False), rel=1e-12
        )


def slow_calibration_error(probabilities, labels, bins):
    """A loop over bins and videos."""
    total = 0.0
    for place in range(bins):
        low, high = (torch.linspace(0, 1, bins + 1, dtype=torch.float64)[place + end].item() for end in (0, 1))
        inside = [
            (max(row), float(row.index(max(row)) == label))
            for row, label in zip(probabilities.tolist(), labels.tolist(), strict=True)
            if low < max(row) <= high
        ]
        if inside:
            confidence, accuracy = (sum(part) / len(inside) for part in zip(*inside, strict=True))
            total += len(inside) / len(labels) * abs(accuracy - confidence)
    return total


@pytest.mark.parametrize("digits", [None, 1])
@pytest.mark.parametrize("bins", [1, 10, 15])
def test_calibration_error_is_that_of_a_loop(bins, digits):
    probabilities, labels = draw(0, digits=digits)
    expected = [slow_calibration_error(one, labels, bins) for one in probabilities]
    assert expected_calibration_error(probabilities, labels, bins).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("classes", [2, 7])
def test_who_knows_everything_nothing_or_the_opposite(classes):
    labels = torch.arange(classes)
    sure = torch.eye(classes, dtype=torch.float64)
    own = one_hot(labels, classes)
    assert mean_average_precision(sure, own).item() == 1.0
    assert [measure(sure, labels).item() for measure in MEASURES] == [0.0, 0.0, 0.0]
    even = torch.full((classes, classes), 1 / classes, dtype=torch.float64)
    share = 1 / classes
    known = [0.0, math.log(classes), 1 - share]
    assert mean_average_precision(even, own).item() == pytest.approx(share)
    assert [measure(even, labels).item() for measure in MEASURES] == pytest.approx(known, abs=1e-12)
    wrong = sure.roll(1, dims=0)
    assert expected_calibration_error(wrong, labels).item() == 1.0
    assert brier_score(wrong, labels).item() == 2.0
    assert negative_log_likelihood(wrong, labels).item() == pytest.approx(-math.log(LEAST))


def one_hot(labels, classes):
    return torch.nn.functional.one_hot(labels, classes).bool()


def test_a_video_may_have_several_classes_or_none():
    scores, _ = draw(1)
    sets = torch.rand(60, 5, generator=torch.Generator().manual_seed(2)) < torch.tensor([0.1, 0.5, 0.0, 0.9, 0.3])
    expected = [sum(average_precision_score(sets[:, c], one[:, c]) for c in (0, 1, 3, 4)) / 4 for one in scores.numpy()]
    assert (sets.sum(1) == 0).any()
    assert mean_average_precision(scores, sets).tolist() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("scores", "membership", "message"),
    [
        (torch.zeros(3, 2), torch.ones(2, 2, dtype=torch.bool), r"membership \(N, C\) bool"),
        (torch.zeros(3, 2), torch.ones(3, 2), "bool"),
        (torch.zeros(3, 2), torch.zeros(3, 2, dtype=torch.bool), "of a video with a class at least"),
        (torch.zeros(0, 2), torch.zeros(0, 2, dtype=torch.bool), "of a video with a class at least"),
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([[True, False]]), "NaN"),
    ],
)
def test_what_cannot_be_ranked(scores, membership, message):
    with pytest.raises(ValueError, match=message):
        mean_average_precision(scores, membership)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        (torch.zeros(3, 2), torch.zeros(2, dtype=torch.int64), r"labels \(N,\) int64"),
        (torch.zeros(2), torch.zeros(2, dtype=torch.int64), r"scores must be \(\.\.\., N, C\)"),
        (torch.zeros(3, 2), torch.zeros(3), "int64"),
        (torch.zeros(3, 2), torch.tensor([0, 1, 2]), "classes from 0 to 1, got 0 to 2"),
        (torch.tensor([[math.nan, 0.0]]), torch.tensor([0]), "NaN"),
    ],
)
def test_what_are_no_class_scores(measure, scores, labels, message):
    with pytest.raises(ValueError, match=message):
        measure(scores, labels)
