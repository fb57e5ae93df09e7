"""Linear probe and linear SVM beside scikit-learn's, at the candidate they chose."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.preprocessing import StandardScaler, normalize
from sklearn.svm import LinearSVC

from harness.cards import View
from harness.evaluators.linear import LinearProbe, LinearSVM
from harness.testing import MovingSquares
from harness.testing.evaluating import (
    ChangedSquares,
    NoisyEncoder,
    baselines,
    evaluate,
    keep,
    relabel,
    values,
    vectors_and_labels,
)
from harness.testing.fixtures import UntrainedEncoder
from harness.values import Promise


@pytest.fixture(scope="module")
def probe():
    return evaluate(LinearProbe(), NoisyEncoder())


@pytest.fixture(scope="module")
def svm():
    return evaluate(LinearSVM(), UntrainedEncoder())


def test_the_probe_equals_scikit_learn_at_the_strength_it_chose(probe):
    (train, labels), (test, _) = (vectors_and_labels(NoisyEncoder(), split) for split in ("train", "test"))
    scale = StandardScaler().fit(train)
    model = LogisticRegression(C=1 / (len(train) * probe.notes["strength"]), tol=1e-8, max_iter=10_000)
    model.fit(scale.transform(train), labels)
    assert probe.predictions.predicted[0] == tuple(model.predict(scale.transform(test)).tolist())
    assert probe.notes["converged"]


def test_the_svm_equals_scikit_learn_at_the_cost_it_chose(svm):
    (train, labels), (test, truth) = (vectors_and_labels(UntrainedEncoder(), split) for split in ("train", "test"))
    x, queries = normalize(train), normalize(test)
    scores = []
    for own in range(4):
        machine = LinearSVC(C=svm.notes["cost"], dual=False, tol=1e-8, max_iter=10_000, class_weight={1: 2})
        scores.append(machine.fit(x, labels == own).decision_function(queries))
    predicted = [max(range(4), key=lambda own: scores[own][video]) for video in range(len(truth))]
    assert svm.predictions.predicted[0] == tuple(predicted)
    assert values(svm) == pytest.approx(
        {"top1": accuracy_score(truth, predicted), "mean_class_accuracy": balanced_accuracy_score(truth, predicted)}
    )
    assert svm.notes["converged"]


def test_the_candidate_is_the_best_of_those_validated(probe, svm):
    for evaluation, option, candidates in (
        (probe, "strength", ["100", "10", "1", "0.1", "0.01", "0.001", "0.0001", "1e-05", "1e-06"]),
        (svm, "cost", ["0.001", "0.01", "0.1", "1", "10", "100", "1000"]),
    ):
        accuracies = evaluation.notes["validation_top1"]
        assert list(accuracies) == candidates
        first = max(candidates, key=lambda candidate: accuracies[candidate])  # of equal ones the first
        assert f"{evaluation.notes[option]:g}" == first


@pytest.mark.parametrize("evaluator", [LinearProbe(), LinearSVM()])
def test_the_candidate_is_chosen_without_the_test_split(evaluator):
    shifted = ChangedSquares(test=relabel(lambda video: {"action": (video.labels["action"] + 1) % 4}))
    plain, other = (evaluate(evaluator, NoisyEncoder(), data) for data in (MovingSquares(), shifted))
    assert plain.notes == other.notes
    assert plain.predictions.predicted == other.predictions.predicted
    assert plain.scores[0].value > other.scores[0].value


def test_baselines_are_those_of_the_most_frequent_class_of_train():
    scarce = relabel(lambda video: {"action": 3 if video.labels["action"] == 2 else video.labels["action"]})
    data = ChangedSquares(train=scarce, test=keep(lambda video: video.labels["action"] in (0, 3)))
    test = data.split("test").videos
    share = sum(video.labels["action"] == 3 for video in test) / len(test)
    found = evaluate(LinearProbe(), NoisyEncoder(), data)
    assert baselines(found) == {"top1": share, "mean_class_accuracy": 0.5}


class Stretched(NoisyEncoder):
    """The same directions, other lengths and an offset in one dimension."""

    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors * vectors.new_tensor([1e3] * 6 + [1e-3] * 6) + vectors.new_tensor([0] * 11 + [0.5])


def test_the_probe_does_not_see_the_scale_of_a_dimension(probe):
    stretched = evaluate(LinearProbe(), Stretched())
    assert stretched.predictions.predicted == probe.predictions.predicted
    assert stretched.notes["strength"] == probe.notes["strength"]


class Colour:
    """The background's colour, which is the group's."""

    promise = Promise(views=(View(frames=2, size=48),), shape=(3,))

    def encode(self, batch):
        return batch.clips[..., 0, 0].float().mean(2)


def test_validation_keeps_groups_apart():
    """Vectors that say the video's group, and labels that only groups tell: within train, nothing is to be learnt."""
    by_group = relabel(lambda video: {"action": int(video.group.partition("-")[2]) % 4})
    found = evaluate(LinearProbe(), Colour(), ChangedSquares(train=by_group, test=by_group))
    assert max(found.notes["validation_top1"].values()) < 0.7


def test_a_class_absent_from_test_is_noted():
    found = evaluate(LinearProbe(), data=ChangedSquares(test=keep(lambda video: video.labels["action"] != 2)))
    assert found.notes["classes_absent_from_test"] == ["up"]
    assert values(found)["top1"] == 1.0


def six_classes(split):
    """Every other video to the left or right gets a class of its own."""

    def labels(video):
        action, index = video.labels["action"], int(video.id.partition("-")[2])
        return {"action": action + 4 if action < 2 and index % 8 < 4 else action}

    names = ("left", "right", "up", "down", "left again", "right again")
    return dataclasses.replace(relabel(labels)(split), classes={"action": names})


def test_top5_is_scored_from_six_classes_on():
    found = evaluate(LinearProbe(), NoisyEncoder(), ChangedSquares(train=six_classes, test=six_classes))
    hits = torch.tensor(found.predictions.values["top5"])
    assert hits.shape == (1, 32)
    assert values(found)["top5"] == pytest.approx(float(hits.mean()))
    assert values(found)["top1"] < values(found)["top5"]
    assert baselines(found)["top5"] == pytest.approx(1 - 1 / 8)  # all but one of the small classes
