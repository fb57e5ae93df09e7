"""k-NN beside scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from harness.errors import UsageError
from harness.evaluators.knn import KNN
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


@pytest.fixture(scope="module")
def data():
    return [vectors_and_labels(NoisyEncoder(), split) for split in ("train", "test")]


def peer(k, train):
    return KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07)).fit(*train)


def test_scikit_learn_agrees(data):
    train, (test, truth) = data
    found = evaluate(KNN(k=7), NoisyEncoder())
    assert found.predictions.predicted[0] == tuple(peer(7, train).predict(test).tolist())
    assert values(found) == pytest.approx(
        {
            name: peer(k, train).score(test, truth)
            for name, k in (("top1", 7), ("top1_1", 1), ("top1_10", 10), ("top1_20", 20))
        }  # train has 48 videos
    )
    assert found.notes["videos_of_smallest_class"] == 12


def test_baselines_are_those_of_the_most_frequent_class_of_train():
    scarce = relabel(lambda video: {"action": 3 if video.labels["action"] == 2 else video.labels["action"]})
    data = ChangedSquares(train=scarce, test=keep(lambda video: video.labels["action"] in (0, 3)))
    test = data.split("test").videos
    share = sum(video.labels["action"] == 3 for video in test) / len(test)
    found = evaluate(KNN(k=5), NoisyEncoder(), data)
    assert baselines(found) == pytest.approx(dict.fromkeys(("top1", "top1_1", "top1_10", "top1_20"), share))


def test_all_videos_vote_where_there_are_fewer_than_neighbours_and_it_is_said():
    fewer, all_of_them = (evaluate(KNN(k=k), NoisyEncoder()) for k in (49, 48))
    assert fewer.scores == all_of_them.scores
    assert fewer.predictions == all_of_them.predictions
    assert fewer.notes["fewer_neighbours"] == "k is 49; train has 48 videos, which all vote"
    assert "fewer_neighbours" not in all_of_them.notes
    few = ChangedSquares(train=keep(lambda video: video.id.endswith(("0", "1"))))
    assert 4 <= len(few.split("train")) < 20
    assert "train has" in evaluate(KNN(), NoisyEncoder(), few).notes["fewer_neighbours"]


@pytest.mark.parametrize("options", [{"k": 0}, {"temperature": 0.0}])
def test_impossible_options(options):
    with pytest.raises(UsageError, match="must be"):
        KNN(**options)
