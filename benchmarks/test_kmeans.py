"""k-means from ten seeds, beside ten runs of faiss."""

from __future__ import annotations

import faiss
import numpy as np
import pytest
import torch

from harness.functional.kmeans import kmeans

N, DIM, CLUSTERS, SEEDS = 10_000, 512, 101, range(10)


def features(apart):
    """As a network's: classes overlap the more the less they are `apart`; few directions carry most of the variance."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(N) % CLUSTERS
    x = torch.randn(CLUSTERS, DIM, generator=generator)[labels] * apart + torch.randn(N, DIM, generator=generator)
    return x / torch.arange(1, DIM + 1).sqrt()


def run_faiss(x):
    """Inertias of the ten runs, each until it stands still, or 300 iterations."""
    inertias = []
    for seed in SEEDS:
        peer = faiss.Kmeans(DIM, CLUSTERS, niter=300, seed=seed, max_points_per_centroid=N, min_points_per_centroid=1)
        peer.train(x.numpy())
        inertias.append(peer.index.search(x.numpy(), 1)[0].sum(dtype=np.float64))
    return np.array(inertias)


@pytest.mark.parametrize(
    ("apart", "least"),
    [
        (0.75, 1.0),
        (0.5, 0.95),
    ],
)
def test_ten_seeds(beside, benchmark, apart, least):
    x = features(apart)

    def check(inertias, theirs):
        ratio = float(inertias.mean() / theirs["faiss"].mean())
        assert 0.99 <= ratio <= 1.01
        benchmark.extra_info.update(inertia_over_that_of_faiss=round(ratio, 5))

    times = beside(
        lambda: kmeans(x, CLUSTERS, SEEDS).inertia,
        {"faiss": lambda: run_faiss(x)},
        clips=len(SEEDS),
        rounds=3,
        check=check,
    )
    assert times["faiss"] >= least
