"""Labelled features, the samples to cluster and the subsets for few shots."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from harness.cards import View
from harness.errors import DataError, UsageError
from harness.evaluators import labelled_features as module
from harness.evaluators.clustering import Clustering
from harness.evaluators.knn import KNN
from harness.evaluators.labelled_features import (
    clustering_samples,
    few_shot_subsets,
    labelled_features,
    split_notes,
    train_and_test,
)
from harness.evaluators.linear import LinearProbe
from harness.testing import MovingSquares
from harness.testing.evaluating import ChangedSquares, NoisyEncoder, evaluate, frozen, keep, relabel
from harness.values import Promise

NO_UP = keep(lambda video: video.labels["action"] != 2)
ONE = keep(lambda video: video.labels["action"] == 1)
NONE = keep(lambda video: False)


def renamed(split):
    return dataclasses.replace(split, classes={"action": ("left", "right", "down", "up")})


@pytest.mark.parametrize(
    ("data", "label", "message"),
    [
        (ChangedSquares(train=NO_UP), "action", "class 'up' .* has test videos but none in train"),
        (ChangedSquares(train=ONE, test=ONE), "action", "train .* has one class of 'action' only"),
        (ChangedSquares(test=NONE), "action", "split 'test' .* has no videos"),
        (MovingSquares(), "scene", "no label 'scene'; it has: action"),
        (ChangedSquares(test=renamed), "action", "name different classes of 'action'"),
        (ChangedSquares(train=relabel(lambda video: {"action": 4})), "action", "names 4 classes .* videos of class 4"),
    ],
)
def test_data_without_the_classes_of_a_protocol(data, label, message):
    with pytest.raises(DataError, match=message):
        train_and_test(frozen(), data, label)


class Constant:
    promise = Promise(views=(View(frames=2, size=16),), shape=(3,))

    def __init__(self, value):
        self.value = value

    def encode(self, batch):
        return torch.full((len(batch), 3), self.value)


@pytest.mark.parametrize(("value", "message"), [(float("nan"), r"video 'train-\d+' is NaN"), (1.0, "collapsed")])
def test_vectors_that_say_nothing(value, message):
    with pytest.raises(DataError, match=message):
        labelled_features(frozen(Constant(value)), MovingSquares(), "train", "action")


class LargestTensor(TorchDispatchMode):
    """Note the size of the largest tensor that is made."""

    found = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        outputs = result if isinstance(result, (tuple, list)) else (result,)
        self.found = max(self.found, *(one.numel() for one in outputs if isinstance(one, torch.Tensor)), 0)
        return result


def test_vectors_are_compared_without_a_copy_of_them():
    """VLADs of all videos of UCF101 are 19 GB."""
    vectors = torch.rand(50, 1000)
    with LargestTensor() as largest:
        assert not module._alike(vectors)
    assert largest.found == 1000


@pytest.mark.parametrize("evaluator", [LinearProbe("scene"), KNN(5, label="scene"), Clustering("scene", repeats=2)])
def test_another_kind_of_label(evaluator):
    def with_scene(split):
        split = relabel(lambda video: {**video.labels, "scene": video.labels["action"] // 2})(split)
        return dataclasses.replace(split, classes={**split.classes, "scene": ("across", "along")})

    found = evaluate(evaluator, data=ChangedSquares(train=with_scene, test=with_scene))
    assert found.predictions.labels == tuple(v.labels["action"] // 2 for v in MovingSquares().split("test").videos)
    assert set(np.ravel(found.predictions.predicted)) == {0, 1}


def test_the_smallest_class_is_the_smallest_of_those_that_are_there():
    few = keep(
        lambda video: video.labels["action"] not in (0, 2) or (video.labels["action"] == 2 and video.id < "test-20")
    )
    features = labelled_features(frozen(), ChangedSquares(test=few), "test", "action")
    ups = sum(label == 2 for label in features.labels.tolist())
    assert 0 < ups < 8
    assert features.smallest_class == (ups, "up")
    assert features.absent == ("left",)
    assert split_notes(features, features) == {
        "train_videos": len(features),
        "test_videos": len(features),
        "classes_absent_from_test": ["left"],
    }


def test_selected_videos_keep_their_vectors_labels_and_groups():
    features = labelled_features(frozen(NoisyEncoder()), MovingSquares(), "test", "action")
    chosen = features.select(torch.tensor([9, 4]))
    assert torch.equal(chosen.vectors, features.vectors[[9, 4]])
    assert chosen.labels.tolist() == [features.labels[9], features.labels[4]]
    assert chosen.groups == (features.groups[9], features.groups[4])
    assert [video.id for video in chosen.split.videos] == ["test-09", "test-04"]


def test_samples_are_videos_by_default():
    samples = clustering_samples(frozen(NoisyEncoder()), MovingSquares(), "test", "action", clips=None, stride=None)
    assert samples.frames == [12] * 32
    assert samples.spans == [(0, 23)] * 32
    assert samples.videos.tolist() == list(range(32))


def test_samples_of_clips_are_shown_by_their_middle_frames():
    encoder = frozen(NoisyEncoder())
    samples = clustering_samples(encoder, MovingSquares(), "test", "action", clips=2, stride=None)
    assert samples.videos.tolist() == [index // 2 for index in range(64)]
    assert [video.id for video in samples.features.split.videos[:4]] == ["test-00", "test-00", "test-01", "test-01"]
    first, second = samples.frames[:2]
    assert 0 < first < second < 24
    view = encoder.promise.view
    (start, end), (later, last) = samples.spans[:2]
    assert (start, end - start, last - later, last) == (0, view.span - 1, view.span - 1, 23)


def test_a_stride_is_for_encoders_of_single_frames():
    with pytest.raises(UsageError, match=r"stride=5 makes samples of single frames.* give `clips`"):
        clustering_samples(frozen(NoisyEncoder()), MovingSquares(), "test", "action", clips=None, stride=5)


def test_few_shot_subsets_are_balanced_and_the_seed_draws_them():
    train = labelled_features(frozen(NoisyEncoder()), MovingSquares(), "train", "action")
    subsets = few_shot_subsets(train, 3, 2, 0, "squares")
    assert [subset.labels.bincount().tolist() for subset in subsets] == [[3, 3, 3, 3]] * 2
    ids = [[video.id for video in subset.split.videos] for subset in subsets]
    assert ids[0] != ids[1]
    again, other = (few_shot_subsets(train, 3, 2, seed, "squares") for seed in (0, 1))
    assert [[video.id for video in subset.split.videos] for subset in again] == ids
    assert [[video.id for video in subset.split.videos] for subset in other] != ids
    with pytest.raises(
        DataError, match="class 'down' of data set 'squares' has 12 training videos, 13 are to be drawn"
    ):
        few_shot_subsets(train, 13, 1, 0, "squares")
