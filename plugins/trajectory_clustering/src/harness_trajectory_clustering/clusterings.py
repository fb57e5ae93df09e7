"""Several clusterings of the same videos, whose clusters local aggregation unites."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from harness.functional.kmeans import kmeans

SEED = 1234
"""Seed of the first clustering of fit 0, as released."""
ITERATIONS = 20
"""Iterations of k-means, as released."""


class Clusterings(nn.Module):
    """Clusters of N videos by m runs of k-means with different seeds.

    Before the first run each video is a cluster of its own.

    Args:
        count: N.
        runs: m.
        clusters: K of each run.

    Source: Tokmakov, Hebert and Schmid 2020, section 4.2, and their released code.
    """

    labels: Tensor
    """(m, N) int64; numbers of clusters mean nothing from one call to the next."""

    def __init__(self, count: int, runs: int, clusters: int) -> None:
        super().__init__()
        self.clusters = clusters
        self.register_buffer("labels", torch.arange(count).repeat(runs, 1))

    @torch.no_grad()
    def fit(
        self,
        points: Tensor,
        seed: int,
        alone: Tensor | None = None,
        share: Callable[[Tensor], Tensor] = lambda rows: rows,
    ) -> None:
        """Cluster the points (N, D).

        Args:
            points: of the videos.
            seed: of the fit.
            alone: (N,) bool, videos that stay clusters of their own; none when None.
            share: gives every process the rows of the first one, so that all have the same clusters.
        """
        known = torch.arange(len(points), device=points.device)
        if alone is not None:
            known = known[~alone]
        runs = len(self.labels)
        labels = torch.arange(len(points), device=points.device).repeat(runs, 1)
        if len(known):
            seeds = range(SEED + seed * runs, SEED + (seed + 1) * runs)
            clustered = kmeans(points[known], min(self.clusters, len(known)), seeds, iterations=ITERATIONS)
            labels[:, known] = len(points) + clustered.assignments  # above the numbers of those alone
        self.labels.copy_(share(labels.mT.contiguous()).mT)

    def curves(self) -> dict[str, float]:
        """Number of clusters, share of the largest, and videos alone: means over runs."""
        sizes = [torch.unique(run, return_counts=True)[1].double() / self.labels.shape[1] for run in self.labels]
        return {
            "clusters": sum(len(one) for one in sizes) / len(sizes),
            "largest_cluster": sum(float(one.max()) for one in sizes) / len(sizes),
            "alone": sum(float((one * self.labels.shape[1] == 1).double().sum()) for one in sizes) / len(sizes),
        }


def between_cluster_share(parts: list[Tensor], labels: Tensor) -> list[float]:
    """Share of each part of joined vectors in the variance between their clusters.

    Args:
        parts: (N, D_i) each, columns of the joined points.
        labels: (m, N) int64 clusters.

    >>> parts = [torch.tensor([[0.0], [0.0], [2.0], [2.0]]), torch.tensor([[0.0], [1.0], [0.0], [1.0]])]
    >>> between_cluster_share(parts, torch.tensor([[5, 5, 7, 7]]))
    [1.0, 0.0]
    """
    variances = [sum(_between(part, run) for run in labels) for part in parts]
    return [float(one / max(sum(variances), 1e-300)) for one in variances]


def _between(points: Tensor, labels: Tensor) -> float:
    """Sum of squared distances of the points' cluster means to the mean of all.

    By sums over clusters, because copies of the joint space of many videos would not fit into memory.
    """
    kinds, owner, sizes = torch.unique(labels, return_inverse=True, return_counts=True)
    sums = points.new_zeros(len(kinds), points.shape[1]).index_add_(0, owner, points).double()
    whole = sums.sum(0).square().sum() / len(points)
    return max(float((sums.square().sum(1) / sizes).sum() - whole), 0.0)
