"""Samples that fire on a detector, and the members of clusters chosen among them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Members:
    """Samples of clusters, sorted by cluster, then by falling score."""

    samples: Tensor
    """(M,) int64 rows of the samples."""
    clusters: Tensor
    """(M,) int64 cluster of each."""
    scores: Tensor
    """(M,) float32 score of each; higher is better."""

    def __len__(self) -> int:
        """M."""
        return len(self.samples)


def detection_scores(outputs: Tensor) -> tuple[Tensor, Tensor]:
    """Score (N,) and cluster (N,) of samples by the outputs (N, K) of K detectors.

    A sample fires on the detector of its largest output d when d > 0 and all other outputs are below 0: its score is
    d. Otherwise its score is 0, and its cluster means nothing.

    Raises:
        ValueError: when `outputs` is not (N, K) with a K of at least 1.

    Source: Hou, Wu, Chen, Luo and Jia, "Unsupervised deep learning of mid-level video representation for action
    recognition", AAAI 2018, eq. 7.

    >>> outputs = torch.tensor([[0.5, -1.0, -1.0], [0.5, 0.1, -1.0], [-0.1, -1.0, -2.0], [0.5, 0.0, -1.0]])
    >>> detection_scores(outputs)[0].tolist()
    [0.5, 0.0, 0.0, 0.0]
    """
    if outputs.ndim != 2 or not outputs.shape[1]:
        msg = f"outputs must be (N, K) of at least one detector, got {tuple(outputs.shape)}"
        raise ValueError(msg)
    largest, clusters = outputs.max(1)
    alone = (outputs >= 0).sum(1) == 1
    return torch.where(alone & (largest > 0), largest, 0.0), clusters


def top_members(rows: Tensor, clusters: Tensor, scores: Tensor, *, most: int) -> Members:
    """Choose the samples of highest score of each cluster, `most` at most.

    Of equal scores the lower row is first.

    Args:
        rows: (N,) int64, different from each other.
        clusters: (N,) int64.
        scores: (N,) of all that may be chosen.
        most: members of a cluster.

    Raises:
        ValueError: when shapes differ or `most` is below 1.

    Source: Hou et al. 2018, section "Iterative algorithm", top p.

    >>> rows, clusters = torch.tensor([4, 5, 6, 7]), torch.tensor([1, 0, 1, 1])
    >>> members = top_members(rows, clusters, torch.tensor([0.1, 0.2, 0.3, 0.1]), most=2)
    >>> members.samples.tolist(), members.clusters.tolist()
    ([5, 6, 4], [0, 1, 1])
    """
    if not rows.shape == clusters.shape == scores.shape or rows.ndim != 1:
        shapes = [tuple(tensor.shape) for tensor in (rows, clusters, scores)]
        msg = f"rows, clusters and scores must be (N,) each, got {shapes}"
        raise ValueError(msg)
    if most < 1:
        msg = f"most must be at least 1, got {most}"
        raise ValueError(msg)
    order = rows.argsort()
    order = order[scores[order].argsort(descending=True, stable=True)]
    order = order[clusters[order].argsort(stable=True)]
    sorted_clusters = clusters[order]
    places = torch.arange(len(order), device=order.device)
    chosen = order[places - torch.searchsorted(sorted_clusters, sorted_clusters) < most]
    return Members(rows[chosen], clusters[chosen], scores[chosen])


def without_small(members: Members, count: int, least: int) -> tuple[Members, Tensor]:
    """Drop clusters of fewer than `least` members, and number the others anew.

    Args:
        members: of clusters in [0, `count`).
        count: K.
        least: members that a cluster needs.

    Returns:
        members of the K' clusters that stay; (K',) int64 old numbers of those, rising.

    Source: Hou et al. 2018, section "Iterative algorithm", "exclude the clusters with few members".

    >>> members = Members(torch.tensor([8, 3, 5]), torch.tensor([0, 2, 2]), torch.tensor([0.1, 0.9, 0.2]))
    >>> left, kept = without_small(members, 3, 2)
    >>> left.samples.tolist(), left.clusters.tolist(), kept.tolist()
    ([3, 5], [0, 0], [2])
    """
    stays = members.clusters.bincount(minlength=count) >= least
    numbers = stays.cumsum(0) - 1
    mask = stays[members.clusters]
    left = Members(members.samples[mask], numbers[members.clusters[mask]], members.scores[mask])
    return left, stays.nonzero()[:, 0]
