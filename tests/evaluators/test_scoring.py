"""Scores of predictions, and validation inside train."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from harness.errors import DataError
from harness.evaluators.labelled_features import LabelledFeatures
from harness.evaluators.scoring import (
    first_labels,
    majority_class,
    majority_hits,
    score_values,
    to_values,
    topk_hits,
    validation_folds,
)
from harness.testing import MovingSquares

SPLIT = MovingSquares().split("train")


def labelled(labels, split=SPLIT):
    return LabelledFeatures(torch.zeros(len(labels), 1), torch.tensor(labels), split.classes["action"], split)


def test_topk_hits_are_those_of_a_sorted_list():
    scores = torch.rand(2, 30, 7, generator=torch.Generator().manual_seed(0))
    labels = torch.arange(30) % 7
    best = [[sorted(range(7), key=lambda c: -row[c])[:3] for row in run] for run in scores.tolist()]
    expected = [[float(label in few) for label, few in zip(labels.tolist(), run, strict=True)] for run in best]
    assert topk_hits(scores, labels, 3).tolist() == expected


def test_guesses_are_of_the_most_frequent_classes_and_of_equal_ones_the_first():
    train, test = labelled([3, 3, 1, 1, 0]), labelled([0, 1, 2, 3])
    assert majority_class(train, test).tolist() == [[1, 1, 1, 1]]
    assert majority_hits(train, test, 2).tolist() == [[0, 1, 0, 1]]


def test_nan_is_stored_as_none():
    assert to_values({"a": torch.tensor([[0.5, float("nan")]])}) == {"a": ((0.5, None),)}


def test_folds_that_validate_keep_groups_apart():
    train = labelled([video.labels["action"] for video in SPLIT.videos])
    folds = validation_folds(train)
    assert len(set(zip(train.groups, folds.tolist(), strict=True))) == len(set(train.groups))
    assert set(folds.tolist()) == {0, 1, 2}


def test_one_group_cannot_validate():
    alone = dataclasses.replace(SPLIT, videos=tuple(dataclasses.replace(video, group="g") for video in SPLIT.videos))
    with pytest.raises(DataError, match=r"train has one group only \('g'\)"):
        validation_folds(labelled([video.labels["action"] for video in alone.videos], alone))


def test_values_of_videos_are_averaged_over_those_that_have_one():
    split = MovingSquares().split("test")
    values = torch.full((len(split),), torch.nan, dtype=torch.float64)
    values[:4] = torch.tensor([1.0, 0.0, 1.0, 1.0])
    (score,), predictions = score_values(split, {"hits": values}, {"hits": torch.tensor([0.25, torch.nan])})
    assert (score.metric, score.value, score.baseline) == ("hits", 0.75, 0.25)
    assert predictions.values["hits"][0][3:5] == (1.0, None)
    assert predictions.videos == tuple(video.id for video in split.videos)
    assert predictions.labels == tuple(video.labels["action"] for video in split.videos)


def test_without_labels_every_class_is_0():
    assert set(first_labels(MovingSquares().split("test").unlabelled())) == {0}
