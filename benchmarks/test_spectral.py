"""Spectral clustering of 10,000 points, beside the fastest way that scikit-learn has."""

from __future__ import annotations

import torch
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score

from harness.functional.spectral import spectral

N, DIM, CLUSTERS, NEIGHBOURS = 10_000, 1024, 101, 10


def test_graph_of_neighbours(beside):
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLUSTERS
    x = torch.randn(CLUSTERS, DIM, generator=generator)[labels] + 3 * torch.randn(N, DIM, generator=generator)

    def scikit_learn():
        return SpectralClustering(
            CLUSTERS,
            affinity="nearest_neighbors",
            n_neighbors=NEIGHBOURS,
            eigen_solver="arpack",  # lobpcg takes 2.5 times as long
            assign_labels="cluster_qr",
            random_state=0,
        ).fit_predict(x.numpy())

    def check(ours, theirs):
        assert adjusted_rand_score(theirs["scikit-learn"], ours) > 0.999
        assert adjusted_rand_score(labels, ours) > 0.999

    times = beside(
        lambda: spectral(x, CLUSTERS, neighbours=NEIGHBOURS),
        {"scikit-learn": scikit_learn},
        clips=N,
        rounds=3,
        check=check,
    )
    assert times["scikit-learn"] >= 2.5
