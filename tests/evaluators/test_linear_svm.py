"""The linear SVM beside scikit-learn's, at the C it chose."""

from __future__ import annotations

import dataclasses

import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.preprocessing import normalize
from sklearn.svm import LinearSVC

from harness.encoders.frozen import FrozenEncoder, fingerprint
from harness.errors import DataError
from harness.evaluators.linear import LinearSVM
from harness.functional.statistics import of_predictions
from harness.testing import MovingSquares, UninformedEncoder, informed_encoder
from harness.testing.fixtures import UntrainedEncoder


def evaluate(encoder, data=None):
    return LinearSVM().evaluate(FrozenEncoder(encoder, key="x"), data or MovingSquares(), seed=0)


def values(found):
    return {score.metric: score.value for score in found.scores}


@pytest.fixture(scope="module")
def untrained():
    return evaluate(UntrainedEncoder())


def test_scikit_learn_agrees(untrained):
    frozen = FrozenEncoder(UntrainedEncoder(), key="x")
    train, test = (frozen.features(MovingSquares().split(name)) for name in ("train", "test"))
    x, queries = (normalize(features.vectors.double().numpy()) for features in (train, test))
    labels, truth = train.labels("action").numpy(), test.labels("action").numpy()
    scores = []
    for own in range(4):
        machine = LinearSVC(C=untrained.notes["cost"], dual=False, tol=1e-8, max_iter=10_000, class_weight={1: 2})
        scores.append(machine.fit(x, labels == own).decision_function(queries))
    predicted = [max(range(4), key=lambda own: scores[own][video]) for video in range(len(truth))]
    assert untrained.predictions.predicted[0] == tuple(predicted)
    assert values(untrained) == pytest.approx(
        {"top1": accuracy_score(truth, predicted), "mean_class_accuracy": balanced_accuracy_score(truth, predicted)}
    )
    assert untrained.notes["converged"]


def test_the_cost_is_the_best_of_those_validated(untrained):
    accuracies = untrained.notes["validation_top1"]
    assert list(accuracies) == ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]
    assert accuracies[f"{untrained.notes['cost']:g}"] == max(accuracies.values())


def test_an_encoder_that_knows_the_classes_is_right():
    assert set(values(evaluate(informed_encoder())).values()) == {1.0}


def test_an_encoder_that_knows_nothing_is_near_the_baseline():
    score = evaluate(UninformedEncoder()).scores[0]
    assert score.baseline == 0.25
    assert abs(score.value - 0.25) < 0.2


def test_predictions_give_the_scores_again(untrained):
    metrics = {metric.id: metric for metric in LinearSVM.card.metrics}
    again = {name: float(of_predictions(untrained.predictions, metrics[name]).mean()) for name in values(untrained)}
    assert values(untrained) == pytest.approx(again)


def test_the_encoder_is_not_changed():
    encoder = informed_encoder()
    before = fingerprint(encoder)
    evaluate(encoder)
    assert fingerprint(encoder) == before != ""


class OneGroup(MovingSquares):
    def split(self, name):
        split = super().split(name)
        return dataclasses.replace(split, videos=tuple(dataclasses.replace(video, group="g") for video in split.videos))


def test_data_that_cannot_validate():
    with pytest.raises(DataError, match="one group only"):
        evaluate(informed_encoder(), OneGroup())
