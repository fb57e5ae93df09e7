"""Several clusterings of the same videos."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from harness_trajectory_clustering.clusterings import Clusterings, between_cluster_share


def blobs(clusters=4, each=25, dim=8, seed=0):
    generator = torch.Generator().manual_seed(seed)
    centres = 5 * torch.randn(clusters, dim, generator=generator)
    return torch.cat([centre + 0.3 * torch.randn(each, dim, generator=generator) for centre in centres])


def test_before_the_first_run_each_video_is_alone():
    clusterings = Clusterings(5, 3, 2)
    assert clusterings.labels.tolist() == [list(range(5))] * 3
    assert clusterings.curves() == pytest.approx({"clusters": 5.0, "largest_cluster": 0.2, "alone": 5.0})


def test_separated_blobs_are_the_clusters_of_every_run():
    points = blobs()
    clusterings = Clusterings(100, 3, 4)
    clusterings.fit(points, 0)
    expected = KMeans(4, n_init=3, random_state=0).fit_predict(points.numpy())
    for run in clusterings.labels:
        assert adjusted_rand_score(expected, run.numpy()) == 1.0
    assert clusterings.curves() == {"clusters": 4.0, "largest_cluster": 0.25, "alone": 0.0}


def test_runs_and_fits_have_seeds_of_their_own():
    points = torch.randn(60, 4, generator=torch.Generator().manual_seed(1))
    first, again, other = (Clusterings(60, 2, 9) for _ in range(3))
    for clusterings, seed in ((first, 0), (again, 0), (other, 1)):
        clusterings.fit(points, seed)
    assert torch.equal(first.labels, again.labels)
    assert not torch.equal(first.labels[0], first.labels[1])
    assert not torch.equal(first.labels, other.labels)


def test_videos_that_are_to_stay_alone_do():
    """Wherever their points are: in the joint space they have the network's part."""
    points = torch.cat([blobs(2, 10), blobs(1, 3)])
    clusterings = Clusterings(23, 2, 2)
    clusterings.fit(points, 0, alone=torch.arange(23) >= 20)
    for run in clusterings.labels:
        assert len(run[:20].unique()) == 2
        assert len(run[20:].unique()) == 3
        assert not set(run[:20].tolist()) & set(run[20:].tolist())


def test_fewer_points_than_clusters_are_clusters_of_one():
    clusterings = Clusterings(4, 1, 4)
    clusterings.fit(torch.eye(4), 0, alone=torch.tensor([False, False, False, True]))
    assert len(clusterings.labels.unique()) == 4
    Clusterings(4, 2, 3).fit(torch.zeros(4, 3), 0, alone=torch.ones(4, dtype=torch.bool))  # nothing to cluster


def test_equal_points_share_a_cluster_and_empty_ones_are_counted():
    clusterings = Clusterings(6, 1, 3)
    clusterings.fit(torch.ones(6, 2), 0)
    assert clusterings.curves()["clusters"] == 1.0


def test_the_share_of_a_part_is_its_between_cluster_variance():
    torch.manual_seed(2)
    first, second = blobs(), 0.1 * torch.randn(100, 5)
    labels = torch.arange(100)[None] // 25
    shares = between_cluster_share([first, second], labels)
    expected = [
        sum(25 * float((part[25 * c : 25 * c + 25].mean(0) - part.mean(0)).square().sum()) for c in range(4))
        for part in (first, second)
    ]
    assert shares == pytest.approx([one / sum(expected) for one in expected], rel=1e-4)
    assert between_cluster_share([torch.zeros(4, 2)], torch.zeros(1, 4, dtype=torch.int64)) == [0.0]
