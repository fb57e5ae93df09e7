"""Clustering beside scikit-learn's metrics, and its baselines."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.metrics import (
    adjusted_mutual_info_score,
    adjusted_rand_score,
    completeness_score,
    homogeneity_score,
    mutual_info_score,
    normalized_mutual_info_score,
)

from harness.cards import View
from harness.datasets.split_views import FrameImages
from harness.errors import DataError, UsageError
from harness.evaluators import clustering as module
from harness.evaluators.clustering import Clustering
from harness.functional.kmeans import kmeans
from harness.functional.metrics import conditional_entropy
from harness.functional.spectral import spectral_embedding
from harness.testing import MovingSquares, UninformedEncoder
from harness.testing.evaluating import ChangedSquares, NoisyEncoder, evaluate, frozen, keep, values, vectors_and_labels
from harness.values import Promise


@pytest.mark.parametrize("algorithm", ["kmeans", "spectral"])
def test_an_encoder_that_knows_the_classes_leaves_no_entropy(algorithm):
    assert values(evaluate(Clustering(algorithm=algorithm, repeats=3)))["conditional_entropy"] < 1e-9


def test_scores_are_means_over_its_repeats():
    found = evaluate(Clustering(repeats=4), NoisyEncoder())
    assert len(found.predictions.predicted) == 4
    peers = {
        "nmi": normalized_mutual_info_score,
        "ami": adjusted_mutual_info_score,
        "ari": adjusted_rand_score,
        "homogeneity": homogeneity_score,
        "completeness": completeness_score,
    }
    for name, peer in peers.items():
        assert values(found)[name] == pytest.approx(
            np.mean([peer(found.predictions.labels, row) for row in found.predictions.predicted])
        )
    assert values(found)["hungarian_accuracy"] <= values(found)["purity"]
    assert found.notes["class_entropy_bits"] == pytest.approx(2.0)
    assert 1.2 < found.scores[0].baseline < 2.0  # far below 2 bits: 32 videos in 4 clusters


def test_another_seed_clusters_anew_and_the_same_does_not():
    first, again, other = (evaluate(Clustering(repeats=3), NoisyEncoder(), seed=seed) for seed in (0, 0, 1))
    assert first == again
    assert first.predictions.predicted != other.predictions.predicted


def test_the_random_baseline_is_that_of_equally_many_videos():
    found = evaluate(Clustering(repeats=2), NoisyEncoder())
    labels, random = np.array(found.predictions.labels), np.random.default_rng(0)
    draws = [random.integers(4, size=len(labels)) for _ in range(300)]
    nats = [mutual_info_score(labels, clusters) for clusters in draws]
    assert found.scores[0].baseline == pytest.approx(2 - np.mean(nats) / np.log(2), abs=0.03)


class Lengths(NoisyEncoder):
    """The informed directions, their lengths at random."""

    def encode(self, batch):
        vectors = super().encode(batch)
        return torch.cat([self.informed.encode(batch) * vectors[:, -1:].exp() * 50, 0 * vectors[:, 4:]], dim=1)


def test_normalised_clustering_does_not_see_lengths():
    raw, unit = (evaluate(Clustering(normalise=flag), Lengths()) for flag in (False, True))
    assert unit.scores[0].value == pytest.approx(0, abs=1e-9)
    assert raw.scores[0].value > 0.1


def test_spectral_clustering_is_k_means_on_the_spectral_embedding():
    found = evaluate(Clustering(algorithm="spectral", repeats=2), NoisyEncoder(), seed=1)
    test, _ = vectors_and_labels(NoisyEncoder(), "test")
    rows = spectral_embedding(test.float(), 4)
    assert found.predictions.predicted == tuple(map(tuple, kmeans(rows, 4, [2, 3]).assignments.tolist()))


def test_clips_can_be_samples_of_their_own():
    found = evaluate(Clustering(repeats=3, clips=4), NoisyEncoder())
    videos = MovingSquares().split("test").videos
    assert found.predictions.videos == tuple(video.id for video in videos for _ in range(4))
    assert found.predictions.groups == tuple(video.group for video in videos for _ in range(4))
    assert found.notes["points"] == 4 * len(videos)
    rows = np.array(found.predictions.predicted).reshape(3, -1, 4)
    majority = [[np.bincount(clips).argmax() for clips in row] for row in rows]
    labels = torch.tensor([video.labels["action"] for video in videos])
    assert values(found)["video_conditional_entropy"] == pytest.approx(
        float(conditional_entropy(labels, torch.tensor(majority)).mean())
    )
    points = labels.repeat_interleave(4)
    nats = [mutual_info_score(points, clusters) for clusters in rows.reshape(3, -1)]
    assert values(found)["conditional_entropy"] == pytest.approx(2 - np.mean(nats) / np.log(2))
    assert "video_conditional_entropy" not in values(evaluate(Clustering(repeats=2)))


def test_the_baseline_of_clips_is_that_of_as_many_points():
    few, many = (evaluate(Clustering(repeats=1, clips=clips), NoisyEncoder()).scores for clips in (1, 5))
    assert few[0].baseline < many[0].baseline < 2
    assert few[0].baseline == pytest.approx(few[-1].baseline)  # with one clip, videos are points


class OneFrame:
    """Sees single frames: the mean colours of a frame's rows."""

    promise = Promise(views=(View(frames=1, size=32),), shape=(96,))

    def encode(self, batch):
        return batch.clips.float().mean(4).flatten(1) / 255


def shortened(split):
    """The same videos, every second without its last six frames."""
    frames = tuple(f[: len(f) - 6 * (i % 2)] for i, f in enumerate(split.frames))
    videos = tuple(
        dataclasses.replace(video, frames=len(shown)) for video, shown in zip(split.videos, frames, strict=True)
    )
    return dataclasses.replace(split, videos=videos, frames=frames)


def test_every_so_many_th_frame_can_be_a_sample():
    data = ChangedSquares(test=shortened)
    found = evaluate(Clustering(repeats=3, stride=5), OneFrame(), data)
    split = data.split("test")
    counts = [len(range(0, video.frames, 5)) for video in split.videos]
    assert len(set(counts)) > 1
    groups = [video.group for video, count in zip(split.videos, counts, strict=True) for _ in range(count)]
    assert found.predictions.groups == tuple(groups)
    alone = frozen(OneFrame()).features(FrameImages.every(split, 5)).vectors
    assert found.predictions.predicted == tuple(map(tuple, kmeans(alone, 4, range(3)).assignments.tolist()))
    parts = [np.split(np.array(row), np.cumsum(counts)[:-1]) for row in found.predictions.predicted]
    majority = torch.tensor([[np.bincount(part).argmax() for part in row] for row in parts])
    labels = torch.tensor([video.labels["action"] for video in split.videos])
    assert values(found)["video_conditional_entropy"] == pytest.approx(
        float(conditional_entropy(labels, majority).mean())
    )


def test_videos_vote_for_the_first_of_equal_clusters():
    random = torch.Generator().manual_seed(0)
    counts = torch.randint(1, 7, (50,), generator=random)
    videos = torch.arange(50).repeat_interleave(counts)
    clusters = torch.randint(5, (len(videos),), generator=random)
    expected = [int(np.bincount(part).argmax()) for part in clusters.split(counts.tolist())]
    assert module._voted(clusters, videos, 50).tolist() == expected


def test_votes_take_the_memory_of_the_samples_alone():
    count = 200_000
    videos, random = torch.arange(count), torch.Generator().manual_seed(0)
    clusters = torch.randint(count, (2, count), generator=random)  # a table of votes would take 320 GB a row
    assert module._video_entropy(videos % 7, clusters, videos) == pytest.approx(
        float(conditional_entropy(videos % 7, clusters).mean())
    )


def test_a_sample_is_said_once():
    with pytest.raises(UsageError, match="clips=2 and stride=5 both say what a sample is"):
        Clustering(clips=2, stride=5)


def test_notes_tell_spread_and_the_best_run():
    found = evaluate(Clustering(repeats=6), UninformedEncoder())
    labels = torch.tensor(found.predictions.labels)
    entropies = conditional_entropy(labels, torch.tensor(found.predictions.predicted)).numpy()
    assert found.notes["conditional_entropy_std"] == pytest.approx(np.std(entropies, ddof=1))
    assert found.notes["conditional_entropy_of_least_inertia"] in entropies
    assert evaluate(Clustering(repeats=1)).notes["conditional_entropy_std"] is None


def test_the_number_of_clusters_can_be_chosen():
    evaluation = evaluate(Clustering(repeats=2, clusters=7), NoisyEncoder())
    assert {len(set(row)) for row in evaluation.predictions.predicted} == {7}
    assert evaluation.notes["clusters"] == 7
    more = evaluate(Clustering(repeats=2, clusters=14), NoisyEncoder())
    assert more.scores[0].baseline < evaluation.scores[0].baseline  # more clusters know more of 32 videos by chance
    assert values(evaluate(Clustering(repeats=2, clusters=4), NoisyEncoder())) == values(
        evaluate(Clustering(repeats=2), NoisyEncoder())
    )
    with pytest.raises(DataError, match="has 32 videos, too few for the 33 clusters that the option clusters asks for"):
        evaluate(Clustering(clusters=33))


def test_two_labels_measure_the_same_clusters():
    """The label chooses nothing: another kind, of other classes, gives other scores of the same assignments."""

    def with_halves(split):
        videos = tuple(
            dataclasses.replace(video, labels={**video.labels, "half": index % 2})
            for index, video in enumerate(split.videos)
        )
        return dataclasses.replace(split, videos=videos, classes={**split.classes, "half": ("a", "b")})

    data = ChangedSquares(test=with_halves)
    action, half = (
        evaluate(Clustering(label=label, repeats=2, clusters=5), NoisyEncoder(), data) for label in ("action", "half")
    )
    assert action.predictions.predicted == half.predictions.predicted
    for evaluation in (action, half):
        labels = evaluation.predictions.labels
        amis = [adjusted_mutual_info_score(labels, row) for row in action.predictions.predicted]
        assert values(evaluation)["ami"] == pytest.approx(np.mean(amis))


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (lambda video: video.labels["action"] == 1, "one class of 'action' only"),
        (lambda video: video.id.endswith(("00", "01", "02")), "3 videos, too few for the 4 clusters"),
    ],
)
def test_data_that_cannot_be_clustered(condition, message):
    with pytest.raises(DataError, match=message):
        evaluate(Clustering(), data=ChangedSquares(test=keep(condition)))


@pytest.mark.parametrize("options", [{"repeats": 0}, {"clips": 0}, {"stride": 0}, {"clusters": 0}])
def test_impossible_options(options):
    with pytest.raises(UsageError, match="must be at least 1, got 0"):
        Clustering(**options)
