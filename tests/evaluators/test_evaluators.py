"""The protocols: perfect and useless encoders, oracles, and data that cannot carry them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    completeness_score,
    homogeneity_score,
    mutual_info_score,
    normalized_mutual_info_score,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

from harness.cards import View
from harness.datasets.split_views import FrameImages
from harness.encoders.frozen import FrozenEncoder, fingerprint
from harness.errors import DataError, UsageError
from harness.evaluators.clustering import Clustering
from harness.evaluators.knn import KNN
from harness.evaluators.linear import LinearProbe
from harness.evaluators.retrieval import Retrieval
from harness.functional.kmeans import kmeans
from harness.functional.metrics import conditional_entropy
from harness.functional.spectral import spectral_embedding
from harness.functional.statistics import of_predictions
from harness.testing import MemorySplit, MovingSquares, UninformedEncoder, informed_encoder
from harness.testing.fixtures import TinyBackbone

EVALUATORS = [
    *(LinearProbe(), KNN(k=5), Retrieval()),
    *(Clustering(repeats=3), Clustering(algorithm="spectral", repeats=3)),
]


class Changed(MovingSquares):
    """Moving squares with one of their splits changed."""

    def __init__(self, **changes):
        super().__init__()
        self.changes = changes

    def split(self, name: str) -> MemorySplit:
        split = super().split(name)
        change = self.changes.get(name, self.changes.get("both"))
        return split if change is None else change(split)


def keep(condition):
    """Only the videos of a split that meet a condition."""

    def change(split: MemorySplit) -> MemorySplit:
        kept = [i for i, video in enumerate(split.videos) if condition(video)]
        videos, frames = (tuple(values[i] for i in kept) for values in (split.videos, split.frames))
        return dataclasses.replace(split, videos=videos, frames=frames)

    return change


def evaluate(evaluator, data=None, encoder=None, seed=0):
    frozen = FrozenEncoder(encoder or informed_encoder(), key="x")
    return evaluator.evaluate(frozen, data or MovingSquares(), seed=seed)


def vectors(encoder):
    frozen, data = FrozenEncoder(encoder, key="x"), MovingSquares()
    features = [frozen.features(data.split(name)) for name in ("train", "test")]
    return [f.vectors.double().numpy() for f in features], [f.labels("action").numpy() for f in features]


class Noisy:
    """Vectors that know something of the class, and are not easy."""

    view = TinyBackbone.card.view
    dim = 12

    def __init__(self):
        self.informed, self.noise = informed_encoder(), UninformedEncoder()

    def encode(self, batch):
        return torch.cat([self.informed.encode(batch) / 3, self.noise.encode(batch)[:, :8]], dim=1)


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: e.card.name)
def test_an_encoder_that_knows_the_classes_gets_the_best_score(evaluator):
    found = evaluate(evaluator)
    best = 1.0 if evaluator.card.primary.higher_is_better else 0.0
    assert found.scores[0].value == pytest.approx(best, abs=1e-9)
    assert found.scores[0].metric == evaluator.card.primary.id


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: e.card.name)
def test_an_encoder_that_knows_nothing_is_near_the_baseline(evaluator):
    score = evaluate(evaluator, encoder=UninformedEncoder()).scores[0]
    assert abs(score.value - score.baseline) < 0.3


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: e.card.name)
def test_predictions_name_every_test_video_and_give_the_score_again(evaluator):
    found = evaluate(evaluator, encoder=Noisy())
    test = MovingSquares().split("test")
    predictions = found.predictions
    assert predictions.videos == tuple(video.id for video in test.videos)
    assert predictions.groups == tuple(video.group for video in test.videos)
    assert predictions.labels == tuple(video.labels["action"] for video in test.videos)
    again = of_predictions(predictions, evaluator.card.primary).mean()
    assert float(again) == pytest.approx(found.scores[0].value)


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: e.card.name)
def test_the_encoder_is_not_changed(evaluator):
    encoder = informed_encoder()
    before = fingerprint(encoder)
    evaluate(evaluator, encoder=encoder)
    assert fingerprint(encoder) == before != ""


def test_linear_probe_equals_scikit_learn_at_the_strength_it_chose():
    found = evaluate(LinearProbe(), encoder=Noisy())
    (train, test), (labels, _) = vectors(Noisy())
    scale = StandardScaler().fit(train)
    strength = found.notes["strength"]
    model = LogisticRegression(C=1 / (len(train) * strength), tol=1e-8, max_iter=10_000).fit(
        scale.transform(train), labels
    )
    assert found.predictions.predicted[0] == tuple(model.predict(scale.transform(test)).tolist())
    assert found.notes["converged"]
    assert max(found.notes["validation_top1"].values()) == found.notes["validation_top1"][f"{strength:g}"]


def test_the_strength_is_chosen_without_the_test_split():
    def relabelled(split):
        videos = tuple(dataclasses.replace(v, labels={"action": (v.labels["action"] + 1) % 4}) for v in split.videos)
        return dataclasses.replace(split, videos=videos)

    found, other = (evaluate(LinearProbe(), data, Noisy()) for data in (MovingSquares(), Changed(test=relabelled)))
    assert found.notes["strength"] == other.notes["strength"]
    assert found.predictions.predicted == other.predictions.predicted
    assert found.scores[0].value > other.scores[0].value


def test_knn_equals_scikit_learn():
    found = evaluate(KNN(k=7), encoder=Noisy())
    (train, test), (labels, _) = vectors(Noisy())
    model = KNeighborsClassifier(7, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07)).fit(train, labels)
    assert found.predictions.predicted[0] == tuple(model.predict(test).tolist())


def test_clustering_scores_are_means_over_its_repeats():
    found = evaluate(Clustering(repeats=4), encoder=Noisy())
    values = {score.metric: score.value for score in found.scores}
    assert len(found.predictions.predicted) == 4
    peers = {
        "nmi": normalized_mutual_info_score,
        "ami": adjusted_mutual_info_score,
        "ari": adjusted_rand_score,
        "homogeneity": homogeneity_score,
        "completeness": completeness_score,
    }
    for name, peer in peers.items():
        assert values[name] == pytest.approx(
            np.mean([peer(found.predictions.labels, row) for row in found.predictions.predicted])
        )
    assert values["hungarian_accuracy"] <= values["purity"]
    assert found.notes["class_entropy_bits"] == pytest.approx(2.0)
    assert 1.2 < found.scores[0].baseline < 2.0  # far below 2 bits: 32 videos in 4 clusters


def test_another_seed_clusters_anew_and_the_same_does_not():
    first, again, other = (evaluate(Clustering(repeats=3), encoder=Noisy(), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.predictions.predicted != other.predictions.predicted


def relabel(change):
    """Other labels for the videos of a split."""

    def changed(split: MemorySplit) -> MemorySplit:
        videos = tuple(dataclasses.replace(video, labels=change(video)) for video in split.videos)
        return dataclasses.replace(split, videos=videos)

    return changed


def test_baselines_are_those_of_the_most_frequent_class_of_train():
    scarce = relabel(lambda video: {"action": 3 if video.labels["action"] == 2 else video.labels["action"]})
    mostly = Changed(train=scarce, test=keep(lambda video: video.labels["action"] in (0, 3)))
    test = mostly.split("test")
    share = sum(video.labels["action"] == 3 for video in test.videos) / len(test)
    probe, votes = (evaluate(evaluator, mostly, Noisy()) for evaluator in (LinearProbe(), KNN(k=5)))
    assert {score.metric: score.baseline for score in probe.scores} == {"top1": share, "mean_class_accuracy": 0.5}
    ranks = ("top1", "top1_1", "top1_10", "top1_20")  # train has 48 videos
    assert {score.metric: score.baseline for score in votes.scores} == pytest.approx(dict.fromkeys(ranks, share))


def test_other_numbers_of_neighbours_are_scored_too():
    found = evaluate(KNN(k=7), encoder=Noisy())
    (train, test), (labels, truth) = vectors(Noisy())
    values = {score.metric: score.value for score in found.scores}
    for k in (1, 10, 20):
        model = KNeighborsClassifier(k, metric="cosine", weights=lambda d: np.exp((1 - d) / 0.07)).fit(train, labels)
        assert values.pop(f"top1_{k}") == pytest.approx(model.score(test, truth))
    assert list(values) == ["top1"]
    assert found.notes["videos_of_smallest_class"] == 12


def test_the_random_baseline_of_clustering_is_that_of_equally_many_videos():
    found = evaluate(Clustering(repeats=2), encoder=Noisy())
    labels, random = np.array(found.predictions.labels), np.random.default_rng(0)
    draws = [random.integers(4, size=len(labels)) for _ in range(300)]
    nats = [mutual_info_score(labels, clusters) for clusters in draws]
    assert found.scores[0].baseline == pytest.approx(2 - np.mean(nats) / np.log(2), abs=0.03)


class Stretched(Noisy):
    """The same directions, other lengths and an offset in one dimension."""

    def encode(self, batch):
        vectors = super().encode(batch)
        return vectors * vectors.new_tensor([1e3] * 6 + [1e-3] * 6) + vectors.new_tensor([0] * 11 + [0.5])


def test_the_probe_does_not_see_the_scale_of_a_dimension():
    plain, stretched = (evaluate(LinearProbe(), encoder=encoder) for encoder in (Noisy(), Stretched()))
    assert stretched.predictions.predicted == plain.predictions.predicted
    assert stretched.notes["strength"] == plain.notes["strength"]


def test_validation_keeps_groups_apart():
    """Vectors that say the video's group, and labels that only groups tell: within train, nothing is to be learnt."""
    by_group = relabel(lambda video: {"action": int(video.group.partition("-")[2]) % 4})
    found = evaluate(LinearProbe(), Changed(both=by_group), Colour())
    assert max(found.notes["validation_top1"].values()) < 0.7


class Colour:
    """The background's colour, which is the group's."""

    view = View(frames=2, size=48)
    dim = 3

    def encode(self, batch):
        return batch.clips[..., 0, 0].float().mean(2)


class Lengths(Noisy):
    """The informed directions, their lengths at random."""

    def encode(self, batch):
        vectors = super().encode(batch)
        return torch.cat([self.informed.encode(batch) * vectors[:, -1:].exp() * 50, 0 * vectors[:, 4:]], dim=1)


def test_normalised_clustering_does_not_see_lengths():
    raw, unit = (evaluate(Clustering(normalise=flag), encoder=Lengths()) for flag in (False, True))
    assert unit.scores[0].value == pytest.approx(0, abs=1e-9)
    assert raw.scores[0].value > 0.1


def test_spectral_clustering_is_k_means_on_the_spectral_embedding():
    found = evaluate(Clustering(algorithm="spectral", repeats=2), encoder=Noisy(), seed=1)
    (_, test), _ = vectors(Noisy())
    rows = spectral_embedding(torch.from_numpy(test).float(), 4)
    assert found.predictions.predicted == tuple(map(tuple, kmeans(rows, 4, [2, 3]).assignments.tolist()))


def test_clips_can_be_points_of_their_own():
    found = evaluate(Clustering(repeats=3, clips=4), encoder=Noisy())
    videos = MovingSquares().split("test").videos
    assert found.predictions.videos == tuple(video.id for video in videos for _ in range(4))
    assert found.predictions.groups == tuple(video.group for video in videos for _ in range(4))
    assert found.notes["points"] == 4 * len(videos)
    values = {score.metric: score.value for score in found.scores}
    rows = np.array(found.predictions.predicted).reshape(3, -1, 4)
    majority = [[np.bincount(clips).argmax() for clips in row] for row in rows]
    labels = torch.tensor([video.labels["action"] for video in videos])
    assert values["video_conditional_entropy"] == pytest.approx(
        float(conditional_entropy(labels, torch.tensor(majority)).mean())
    )
    points = labels.repeat_interleave(4)
    nats = [mutual_info_score(points, clusters) for clusters in rows.reshape(3, -1)]
    assert values["conditional_entropy"] == pytest.approx(2 - np.mean(nats) / np.log(2))
    assert "video_conditional_entropy" not in {score.metric for score in evaluate(Clustering(repeats=2)).scores}


def test_the_baseline_of_clips_is_that_of_as_many_points():
    few, many = (evaluate(Clustering(repeats=1, clips=clips), encoder=Noisy()).scores for clips in (1, 5))
    assert few[0].baseline < many[0].baseline < 2
    assert few[0].baseline == pytest.approx(few[-1].baseline)  # with one clip, videos are points


class OneFrame:
    """Sees single frames: the mean colours of a frame's rows."""

    view = View(frames=1, size=32)
    dim = 96

    def encode(self, batch):
        return batch.clips.float().mean(4).flatten(1) / 255


def shortened(split):
    """The same videos, every second without its last six frames."""
    frames = tuple(f[: len(f) - 6 * (i % 2)] for i, f in enumerate(split.frames))
    videos = tuple(
        dataclasses.replace(video, frames=len(shown)) for video, shown in zip(split.videos, frames, strict=True)
    )
    return dataclasses.replace(split, videos=videos, frames=frames)


def test_every_so_many_th_frame_can_be_a_point():
    data = Changed(test=shortened)
    found = evaluate(Clustering(repeats=3, stride=5), data, encoder=OneFrame())
    split = data.split("test")
    counts = [len(range(0, video.frames, 5)) for video in split.videos]
    assert len(set(counts)) > 1
    groups = [video.group for video, count in zip(split.videos, counts, strict=True) for _ in range(count)]
    assert found.predictions.groups == tuple(groups)
    alone = FrozenEncoder(OneFrame(), key="x").features(FrameImages.every(split, 5)).vectors
    assert found.predictions.predicted == tuple(map(tuple, kmeans(alone, 4, range(3)).assignments.tolist()))
    parts = [np.split(np.array(row), np.cumsum(counts)[:-1]) for row in found.predictions.predicted]
    majority = torch.tensor([[np.bincount(part).argmax() for part in row] for row in parts])
    labels = torch.tensor([video.labels["action"] for video in split.videos])
    values = {score.metric: score.value for score in found.scores}
    assert values["video_conditional_entropy"] == pytest.approx(float(conditional_entropy(labels, majority).mean()))


def test_a_stride_is_for_encoders_of_single_frames():
    with pytest.raises(UsageError, match=r"stride=5 makes samples of single frames.* give `clips`"):
        evaluate(Clustering(stride=5), encoder=Noisy())
    with pytest.raises(UsageError, match="clips=2 and stride=5 both say what a sample is"):
        Clustering(clips=2, stride=5)


def test_notes_of_clustering_tell_spread_and_the_best_run():
    found = evaluate(Clustering(repeats=6), encoder=UninformedEncoder())
    labels = torch.tensor(found.predictions.labels)
    entropies = conditional_entropy(labels, torch.tensor(found.predictions.predicted)).numpy()
    assert found.notes["conditional_entropy_std"] == pytest.approx(np.std(entropies, ddof=1))
    assert found.notes["conditional_entropy_of_least_inertia"] in entropies
    assert evaluate(Clustering(repeats=1)).notes["conditional_entropy_std"] is None


@pytest.mark.parametrize("evaluator", [LinearProbe("scene"), KNN(5, label="scene"), Clustering("scene", repeats=2)])
def test_another_kind_of_label(evaluator):
    def with_scene(split: MemorySplit) -> MemorySplit:
        split = relabel(lambda video: {**video.labels, "scene": video.labels["action"] // 2})(split)
        return dataclasses.replace(split, classes={**split.classes, "scene": ("across", "along")})

    found = evaluate(evaluator, Changed(both=with_scene))
    assert found.predictions.labels == tuple(v.labels["action"] // 2 for v in MovingSquares().split("test").videos)
    assert set(np.ravel(found.predictions.predicted)) == {0, 1}


BACKWARD = keep(lambda video: video.labels["action"] != 2)
ONE = keep(lambda video: video.labels["action"] == 1)


def renamed(split):
    return dataclasses.replace(split, classes={"action": ("left", "right", "down", "up")})


@pytest.mark.parametrize(
    ("evaluator", "data", "message"),
    [
        (LinearProbe(), Changed(train=BACKWARD), "class 'up' .* has test videos but none in train"),
        (KNN(k=5), Changed(both=ONE), "one class of 'action' only"),
        (Clustering(), Changed(test=ONE), "one class of 'action' only"),
        (
            Clustering(),
            Changed(test=keep(lambda video: video.id.endswith(("00", "01", "02")))),
            "too few for the 4 clusters",
        ),
        (KNN(k=49), MovingSquares(), "49 neighbours, but train .* has 48 videos"),
        (LinearProbe(), Changed(test=keep(lambda video: False)), "has no videos"),
        (LinearProbe(), Changed(train=keep(lambda video: video.group == "train-0")), "one group only"),
        (LinearProbe(label="scene"), MovingSquares(), "no label 'scene'; it has: action"),
        (KNN(k=5), Changed(test=renamed), "name different classes of 'action'"),
        (KNN(k=5), Changed(train=relabel(lambda video: {"action": 4})), "names 4 classes .* videos of class 4"),
    ],
)
def test_data_that_cannot_carry_the_protocol(evaluator, data, message):
    with pytest.raises(DataError, match=message):
        evaluate(evaluator, data)


def test_a_class_absent_from_test_is_noted():
    found = evaluate(LinearProbe(), Changed(test=BACKWARD))
    assert found.notes["classes_absent_from_test"] == ["up"]
    assert found.scores[0].value == 1.0


class Broken:
    view = View(frames=2, size=16)
    dim = 3

    def __init__(self, value):
        self.value = value

    def encode(self, batch):
        return torch.full((len(batch), 3), self.value)


@pytest.mark.parametrize("evaluator", EVALUATORS, ids=lambda e: e.card.name)
@pytest.mark.parametrize(("value", "message"), [(float("nan"), "'train-00'|'test-00'"), (1.0, "collapsed")])
def test_vectors_that_say_nothing(evaluator, value, message):
    with pytest.raises(DataError, match=message):
        evaluate(evaluator, encoder=Broken(value))


@pytest.mark.parametrize(
    "build",
    [lambda: KNN(k=0), lambda: KNN(temperature=0.0), lambda: Clustering(repeats=0), lambda: Clustering(clips=0)],
)
def test_impossible_options(build):
    with pytest.raises(UsageError, match="must be"):
        build()
