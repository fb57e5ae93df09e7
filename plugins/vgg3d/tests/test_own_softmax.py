"""The network's own softmax: averages over crops, a slow twin, and refusals."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.testing import MovingSquares, UntrainedEncoder, conformance
from harness.testing.evaluating import ChangedSquares, baselines, evaluate, frozen, keep, relabel, values
from harness.testing.fixtures import DIRECTIONS, DirectionBackbone, TinyBackbone
from harness.values import Encoding
from harness_vgg3d.classified import ClassifiedEncoder, ClassifiedNetwork
from harness_vgg3d.own_softmax import OwnSoftmax, mean_probabilities


def classified(classes=tuple(DIRECTIONS), backbone=None):
    """Encoder with a classifier that knows the directions where its network does."""
    backbone = backbone or DirectionBackbone()
    classifier = nn.Linear(backbone.card.dim, len(classes))
    with torch.no_grad():
        classifier.weight.copy_(5 * torch.eye(len(classes), backbone.card.dim))
        classifier.bias.copy_(0.01 * torch.arange(len(classes)))  # no ties
    return ClassifiedEncoder(ClassifiedNetwork(backbone.build(seed=0), classifier, classes), backbone.inputs)


SIX = (*DIRECTIONS, "nowhere", "elsewhere")


def with_six_classes(split):
    """Classes 0 and 1 of the squares become 4 and 5, so that five of six are not always all that there are."""
    split = relabel(lambda video: {"action": (video.labels["action"] + 4) % 6})(split)
    return replace(split, classes={"action": SIX})


class TestScores:
    @pytest.mark.parametrize("crops", [1, 3, 10])
    def test_they_are_those_of_a_slow_twin(self, crops):
        """Ten crops have five mirrored ones, which take left for right, so that much is wrong."""
        data, encoder = ChangedSquares(train=with_six_classes, test=with_six_classes), classified(SIX)
        evaluation = evaluate(OwnSoftmax(crops=crops), encoder, data)
        test = data.split("test")
        rows = frozen(encoder).features(test, Encoding(crops=crops)).per_clip()
        assert rows.shape[1] == crops
        weight, bias = (part.detach().double().tolist() for part in encoder.pretext.classifier.parameters())
        predicted, hits = [], []
        for video, crop_vectors in zip(test.videos, rows.double().tolist(), strict=True):
            sums = [0.0] * 6
            for vector in crop_vectors:
                pairs = zip(weight, bias, strict=True)
                logits = [sum(a * b for a, b in zip(row, vector, strict=True)) + shift for row, shift in pairs]
                total = sum(math.exp(logit) for logit in logits)
                sums = [old + math.exp(logit) / total for old, logit in zip(sums, logits, strict=True)]
            order = sorted(range(6), key=lambda number: -sums[number])
            predicted.append(order[0])
            hits.append(float(video.labels["action"] in order[:5]))
        labels = [video.labels["action"] for video in test.videos]
        top1 = sum(one == other for one, other in zip(predicted, labels, strict=True)) / len(labels)
        assert evaluation.predictions.predicted == (tuple(predicted),)
        assert values(evaluation)["top1"] == pytest.approx(top1)
        assert values(evaluation)["top5"] == pytest.approx(sum(hits) / len(hits))

    def test_a_classifier_that_knows_the_classes_is_right(self):
        evaluation = evaluate(OwnSoftmax(crops=1), classified())
        assert values(evaluation) == pytest.approx({"top1": 1.0, "mean_class_accuracy": 1.0})
        assert evaluation.notes == {
            "train_videos": 48,
            "test_videos": 32,
            "classes_absent_from_test": [],
            "crops": 1,
            "classes": list(DIRECTIONS),
        }
        assert set(evaluation.pictures) == {"confusion", "top-5"}
        assert all(picture.startswith(b"\x89PNG") for picture in evaluation.pictures.values())

    def test_the_baseline_is_the_most_frequent_class_of_train(self):
        few = keep(lambda video: video.labels["action"] == 2 or video.group == "train-0")
        one = keep(lambda video: video.labels["action"] != 2 or video.group == "test-0")
        evaluation = evaluate(OwnSoftmax(crops=1), classified(), ChangedSquares(train=few, test=one))
        assert baselines(evaluation)["top1"] == pytest.approx(2 / 26)

    def test_train_is_not_encoded(self, monkeypatch):
        encoded = []
        encoder = frozen(classified())
        plain = encoder.features
        monkeypatch.setattr(encoder, "features", lambda split, *rest: encoded.append(split.name) or plain(split, *rest))
        OwnSoftmax(crops=1).evaluate(encoder, MovingSquares(), seed=0)
        assert set(encoded) == {"test"}
        assert [one.split for one in OwnSoftmax().encodings(encoder.promise, MovingSquares(), seed=0)] == ["test"]


class TestProbabilities:
    def test_crops_count_alike_in_any_order(self):
        classifier, vectors = nn.Linear(8, 5), torch.randn(300, 10, 8)
        one = mean_probabilities(classifier, vectors)
        other = mean_probabilities(classifier, vectors[:, torch.randperm(10)])
        assert one.dtype == torch.float64
        torch.testing.assert_close(one, other, rtol=0, atol=1e-14)
        torch.testing.assert_close(one.sum(1), torch.ones(300, dtype=torch.float64), rtol=0, atol=1e-14)

    def test_they_are_means_of_softmaxes_and_no_softmax_of_a_mean(self):
        classifier = nn.Linear(1, 2)
        with torch.no_grad():
            classifier.weight.copy_(torch.tensor([[1.0], [0.0]]))
            classifier.bias.zero_()
        probabilities = mean_probabilities(classifier, torch.tensor([[[math.log(3)], [-math.log(3)], [math.log(3)]]]))
        assert probabilities[0].tolist() == pytest.approx([(0.75 + 0.25 + 0.75) / 3, (0.25 + 0.75 + 0.25) / 3])

    def test_dimensions_that_are_zero_count_nothing(self):
        classifier, vectors = nn.Linear(8, 5), torch.randn(20, 3, 8)
        wider = nn.Linear(12, 5)
        with torch.no_grad():
            wider.weight[:, :8].copy_(classifier.weight)
            wider.bias.copy_(classifier.bias)
        padded = torch.cat([vectors, torch.zeros(20, 3, 4)], 2)
        one, other = mean_probabilities(classifier, vectors), mean_probabilities(wider, padded)
        torch.testing.assert_close(one, other, rtol=0, atol=1e-15)


class TestShuffling:
    @staticmethod
    def standing(split):
        """Videos whose first frame stays."""
        return replace(split, frames=tuple(video[:1].expand_as(video).contiguous() for video in split.frames))

    def test_frames_that_are_all_alike_give_the_same_bits(self):
        data = ChangedSquares(test=self.standing)
        ordered, shuffled = (
            evaluate(OwnSoftmax(crops=3, shuffled=some), classified(backbone=TinyBackbone()), data)
            for some in (False, True)
        )
        assert ordered == shuffled

    def test_a_network_that_sees_motion_loses_it(self):
        ordered, first, second = (
            evaluate(OwnSoftmax(crops=1, shuffled=some), classified(), seed=seed)
            for some, seed in ((False, 0), (True, 0), (True, 1))
        )
        assert values(ordered)["top1"] == 1.0
        assert values(first)["top1"] < 0.9
        assert first.predictions != second.predictions

    def test_the_order_is_the_seeds(self):
        orders = [
            OwnSoftmax(shuffled=True).encodings(classified().promise, MovingSquares(), seed=seed)[0].shuffle
            for seed in (0, 0, 1)
        ]
        assert orders[0] == orders[1] != orders[2]


class TestRefusal:
    def test_of_encoders_without_a_classifier(self):
        with pytest.raises(UsageError, match="networks that keep the classifier they learnt, got NoneType"):
            evaluate(OwnSoftmax(), UntrainedEncoder())

    @pytest.mark.parametrize(
        ("classes", "message"),
        [
            (("left", "up", "right", "down"), "class 1 of 'action' in train .* to be 'up', .* got 'right'"),
            (("left", "right", "up"), "class 3 of 'action' in train .* to be None, .* got 'down'"),
            (SIX, "class 4 of 'action' in train .* to be 'nowhere', .* got None"),
        ],
    )
    def test_of_other_classes(self, classes, message):
        with pytest.raises(UsageError, match=message) as caught:
            evaluate(OwnSoftmax(), classified(classes))
        assert "\n" not in str(caught.value)

    def test_of_a_test_split_with_other_classes(self):
        data = ChangedSquares(test=lambda split: replace(split, classes={"action": SIX[:3]}))
        with pytest.raises(UsageError, match="class 3 of 'action' in test of data set 'moving-squares' to be 'down'"):
            evaluate(OwnSoftmax(), classified(), data)

    def test_of_another_number_of_crops(self):
        with pytest.raises(UsageError, match="crops"):
            Plugins().evaluators.build("own_softmax", {"crops": 4})


def test_its_crops_are_ten_unless_it_is_told():
    assert Plugins().evaluators.completed("own_softmax", {}) == {"label": "action", "crops": 10, "shuffled": False}


@conformance(OwnSoftmax(crops=1), OwnSoftmax(crops=3, shuffled=True), encoder=classified())
def test_conformance(check):
    check()
