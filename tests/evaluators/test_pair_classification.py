"""Pair classification beside scikit-learn on the same pairs, and its intervals beside new videos."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import average_precision_score

from harness.errors import DataError, UsageError
from harness.evaluators.pair_classification import PairClassification
from harness.functional.pairs import draw_pairs
from harness.testing import MovingSquares, UninformedEncoder, evaluating, informed_encoder
from harness.testing.evaluating import ChangedSquares, NoisyEncoder, baselines, frozen, keep, values


def evaluate(encoder, data=None, seed=0, **options):
    return evaluating.evaluate(PairClassification(**options), encoder, data, seed=seed)


def regroup(group):
    return lambda split: replace(
        split, videos=tuple(replace(video, group=group(index, video)) for index, video in enumerate(split.videos))
    )


@pytest.mark.parametrize("seed", [0, 3])
def test_pairs_one_at_a_time_agree(seed):
    encoder = NoisyEncoder()
    features = frozen(encoder).features(MovingSquares().split("test"))
    groups = [video.group for video in MovingSquares().split("test").videos]
    pairs = draw_pairs(features.labels("action"), groups, 10, seed)
    similarities, same = [], []
    for first, *partners in zip(pairs.first.tolist(), pairs.same.tolist(), pairs.other.tolist(), strict=True):
        for kind, videos in zip((True, False), partners, strict=True):
            for other in videos:
                one, two = features.vectors[[first, other]].double()
                similarities.append(float(torch.cosine_similarity(one, two, dim=0)))
                same.append(kind)
    found = evaluate(encoder, seed=seed)
    assert values(found)["average_precision"] == pytest.approx(average_precision_score(same, similarities), abs=1e-6)
    assert 0.55 < values(found)["average_precision"] < 0.99
    for metric, at in (("best_accuracy", "accuracy_threshold"), ("best_f1", "f1_threshold")):
        called = [level >= found.notes[at] - 1e-6 for level in similarities]
        right = sum(call == kind for call, kind in zip(called, same, strict=True))
        hits = sum(call and kind for call, kind in zip(called, same, strict=True))
        expected = right / len(same) if metric == "best_accuracy" else 2 * hits / (sum(called) + sum(same))
        assert values(found)[metric] == pytest.approx(expected, abs=1e-6)


def test_an_encoder_that_knows_the_classes_tells_all_pairs_apart():
    assert set(values(evaluate(informed_encoder())).values()) == {1.0}


def test_an_encoder_of_noise_is_near_the_baselines():
    found = [evaluate(UninformedEncoder(), seed=seed) for seed in range(4)]
    for metric, expected in baselines(found[0]).items():
        assert sum(values(one)[metric] for one in found) / 4 == pytest.approx(expected, abs=0.05)
    assert baselines(found[0])["average_precision"] == pytest.approx(0.5, abs=0.01)


def test_every_encoder_gets_the_same_pairs():
    one, other = (evaluate(encoder) for encoder in (informed_encoder(), UninformedEncoder()))
    assert one.notes["pairs"] == other.notes["pairs"] == 2 * 10 * len(MovingSquares().split("test"))
    assert baselines(one) == baselines(other)


def test_what_videos_add_is_the_average_precision_on_average():
    found = evaluate(NoisyEncoder())
    (added,) = found.predictions.values["average_precision"]
    assert sum(added) / len(added) == pytest.approx(values(found)["average_precision"], abs=1e-9)


def test_what_videos_add_spreads_as_new_videos_do_and_a_little_more():
    """The spread of the mean of N independent videos is that of what they add, over the root of N."""
    generator = torch.Generator().manual_seed(0)
    labels, groups = torch.arange(60) % 3, [""] * 60
    precisions, predicted = [], []
    for seed in range(100):
        vectors = torch.nn.functional.one_hot(labels, 3) + 1.2 * torch.randn(60, 3, generator=generator)
        found = PairClassification().evaluate(Vectors(vectors, labels), Given(labels, groups), seed=seed)
        precisions.append(values(found)["average_precision"])
        predicted.append(torch.tensor(found.predictions.values["average_precision"][0]).var().item() / 60)
    spread = torch.tensor(precisions).std().item()
    assert 0.95 * spread < (sum(predicted) / len(predicted)) ** 0.5 < 1.6 * spread


class Given:
    """A data set of nothing but labels and groups."""

    card = MovingSquares.card

    def __init__(self, labels, groups):
        videos = [
            replace(MovingSquares().split("test").videos[0], id=str(index), group=group, labels={"action": label})
            for index, (label, group) in enumerate(zip(labels.tolist(), groups, strict=True))
        ]
        self.whole = replace(
            MovingSquares().split("test"), videos=tuple(videos), frames=(), classes={"action": ("a", "b", "c")}
        )

    def split(self, name):
        return self.whole


class Vectors:
    """Features of no video."""

    def __init__(self, vectors, labels):
        self.vectors, self.known = vectors, labels

    def features(self, split, encoding=None):
        return self

    def labels(self, kind):
        return self.known


def test_a_video_alone_in_its_class_is_left_out():
    first = next(video.id for video in MovingSquares().split("test").videos if video.labels["action"] == 2)
    lonely = ChangedSquares(test=keep(lambda video: video.labels["action"] != 2 or video.id == first))
    found = evaluate(informed_encoder(), lonely)
    assert found.notes["videos_without_partners"] == 1
    assert values(found)["average_precision"] == pytest.approx(1)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (ChangedSquares(test=keep(lambda video: video.labels["action"] == 1)), "one class of 'action' only"),
        (ChangedSquares(test=regroup(lambda index, video: "one")), "no two videos of one class of 'action' in diff"),
        (ChangedSquares(test=keep(lambda video: False)), "has no videos"),
    ],
)
def test_data_without_pairs(data, message):
    with pytest.raises(DataError, match=message):
        evaluate(informed_encoder(), data)


def test_pairs_have_to_be_some():
    with pytest.raises(UsageError, match="pairs must be at least 1, got 0"):
        PairClassification(pairs=0)
