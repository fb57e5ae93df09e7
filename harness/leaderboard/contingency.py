"""Statistics of classes and clusters, all of one clustering on every draw at once.

They are those of `harness.functional`, whose functions are general and slow for thousands of clusterings: here all
statistics share one contingency table, logarithms of counts are looked up, and what classes alone say is computed once
for all rows. `tests/leaderboard/test_bootstrap.py` holds them against those functions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cached_property
from types import MappingProxyType

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import linear_sum_assignment

from harness.functional.agreement import CellInformation
from harness.leaderboard.group_draws import GroupDraws

Array = NDArray[np.float64]
Counts = NDArray[np.int64]

_ELEMENTS = 2**22
"""Cells of assignment tables that are held at a time."""


class Classes:
    """True classes of a test set, with their sizes in every draw.

    Args:
        labels: (N,) classes.
        draws: of the groups of the N videos.
    """

    def __init__(self, labels: NDArray[np.int64], draws: GroupDraws) -> None:
        self.draws = draws
        self.number = np.unique(labels, return_inverse=True)[1]
        self.sizes: Counts = draws.sums(self.number)

    @cached_property
    def total(self) -> Counts:
        """(D,) videos of each draw."""
        total: Counts = self.sizes.sum(axis=0)
        return total

    @cached_property
    def entropy(self) -> Array:
        """(D,) bits."""
        return _entropy(self.sizes, self.total)

    @cached_property
    def xlog2x(self) -> Array:
        """(D,) sums over classes of size times its logarithm."""
        return _xlog2x(self.sizes)

    @cached_property
    def pairs(self) -> Array:
        """(D,) pairs of videos that are of one class."""
        return _pairs(self.sizes)

    @cached_property
    def expected(self) -> ExpectedInformation:
        """Information that clusters of given sizes share with the classes by chance."""
        return ExpectedInformation(self)

    def mean_accuracy(self, hits: Array) -> Array:
        """Mean class accuracy, (D,); `hits` (N,) is 1 where a video is right."""
        right = self.draws.weighted(self.number, hits)
        present = self.sizes > 0
        shares: Array = (right / np.where(present, self.sizes, 1)).sum(axis=0) / present.sum(axis=0)
        return shares


class Clustering:
    """One clustering of the videos, with its contingency table in every draw.

    Args:
        classes: the true ones.
        predicted: (N,) clusters.
    """

    def __init__(self, classes: Classes, predicted: NDArray[np.int64]) -> None:
        self.classes = classes
        clusters = np.unique(predicted, return_inverse=True)[1]
        self.shape = len(classes.sizes), int(np.max(clusters)) + 1
        # By cluster, so that those of one lie together.
        self.filled, cell = np.unique(clusters * self.shape[0] + classes.number, return_inverse=True)
        self.cells: Counts = classes.draws.sums(cell)
        self._starts = np.searchsorted(self.filled, np.arange(self.shape[1]) * self.shape[0])
        self.sizes: Counts = np.add.reduceat(self.cells, self._starts, axis=0)

    @cached_property
    def entropy(self) -> Array:
        """(D,) bits of the clusters."""
        return _entropy(self.sizes, self.classes.total)

    @cached_property
    def _cells_xlog2x(self) -> Array:
        return _xlog2x(self.cells)

    @cached_property
    def class_in_cluster(self) -> Array:
        """(D,) bits of H(class | cluster)."""
        return np.maximum((_xlog2x(self.sizes) - self._cells_xlog2x) / self.classes.total, 0.0)

    @cached_property
    def cluster_in_class(self) -> Array:
        """(D,) bits of H(cluster | class)."""
        return np.maximum((self.classes.xlog2x - self._cells_xlog2x) / self.classes.total, 0.0)

    def normalized_information(self) -> Array:
        """Mutual information over the mean of both entropies."""
        mean = (self.classes.entropy + self.entropy) / 2
        shared = np.maximum(self.classes.entropy - self.class_in_cluster, 0.0)
        return np.where(mean > 0, np.minimum(shared / np.where(mean > 0, mean, 1), 1.0), 1.0)

    def adjusted_information(self) -> Array:
        """Mutual information, adjusted for chance."""
        classes = self.classes.entropy
        expected = self.classes.expected.bits(self.sizes)
        span = (classes + self.entropy) / 2 - expected
        same = (self.class_in_cluster < 1e-12) & (self.cluster_in_class < 1e-12)
        trivial = (classes == 0) | (self.entropy == 0)
        score = (classes - self.class_in_cluster - expected) / np.where(same | trivial, 1, span)
        return np.where(same, 1.0, np.where(trivial, 0.0, score))

    def adjusted_rand(self) -> Array:
        """Rand index, adjusted for chance."""
        total = self.classes.total.astype(np.float64)
        both, classes, clusters = _pairs(self.cells), self.classes.pairs, _pairs(self.sizes)
        chance = classes * (clusters / np.maximum(total * (total - 1) / 2, 1))
        span = (classes + clusters) / 2 - chance
        return np.where(span > 0, (both - chance) / np.where(span > 0, span, 1), 1.0)

    def matched_accuracy(self) -> Array:
        """Highest accuracy under one-to-one matchings."""
        # As many rows as there are classes or clusters, whichever are fewer: every row is matched then.
        flip = self.shape[0] < self.shape[1]
        rows, columns = self.shape if flip else self.shape[::-1]
        filled = self.filled % self.shape[0] * columns + self.filled // self.shape[0] if flip else self.filled
        draws, step = self.cells.shape[1], max(1, _ELEMENTS // (rows * columns))
        matched = np.empty(draws)
        for start in range(0, draws, step):
            part = self.cells[:, start : start + step]
            tables = np.zeros((part.shape[1], rows * columns))
            tables[:, filled] = part.T
            chosen = np.array([linear_sum_assignment(table, True)[1] for table in tables.reshape(-1, rows, columns)])
            matched[start : start + step] = np.take_along_axis(tables, chosen + columns * np.arange(rows), 1).sum(
                axis=1
            )
        return matched / self.classes.total

    def purity(self) -> Array:
        """Share of videos of the most frequent class of their cluster."""
        largest: Array = np.maximum.reduceat(self.cells, self._starts, axis=0).sum(axis=0) / self.classes.total
        return largest


def _explained(left: Array, whole: Array) -> Array:
    return np.where(whole > 0, np.clip(1 - left / np.where(whole > 0, whole, 1), 0, 1), 1.0)


STATISTICS: Mapping[str, Callable[[Clustering], Array]] = MappingProxyType(
    {
        "conditional_entropy": lambda one: one.class_in_cluster,
        "normalized_mutual_information": Clustering.normalized_information,
        "purity": Clustering.purity,
        "adjusted_mutual_information": Clustering.adjusted_information,
        "adjusted_rand_index": Clustering.adjusted_rand,
        "matched_accuracy": Clustering.matched_accuracy,
        "homogeneity": lambda one: _explained(one.class_in_cluster, one.classes.entropy),
        "completeness": lambda one: _explained(one.cluster_in_class, one.entropy),
    }
)
"""Statistics of a clustering by name, (D,) each: one value a draw."""


class ExpectedInformation:
    """Mutual information that clusters share with the classes of a test set by chance.

    It is a sum over the sizes of clusters, so that what a cluster of one size adds in one draw is computed once for all
    clusterings of all rows.

    Args:
        classes: the true ones.
    """

    def __init__(self, classes: Classes) -> None:
        self._sizes, self._total = classes.sizes, classes.total
        self._added = CellInformation()
        self._nats: Array = np.full((len(self._total), 1), np.nan)

    def bits(self, clusters: Counts) -> Array:
        """(D,) bits for clusters of the sizes (K, D)."""
        most = int(np.max(clusters)) + 1 - self._nats.shape[1]
        if most > 0:
            self._nats = np.pad(self._nats, ((0, 0), (0, most)), constant_values=np.nan)
        places = np.arange(len(self._total))
        nats = self._nats[places, clusters]
        unknown = np.isnan(nats).any(axis=0)
        for total in np.unique(self._total[unknown]):
            self._learn(int(total), clusters)
        if unknown.any():
            nats = self._nats[places, clusters]
        bits: Array = nats.sum(axis=0) / math.log(2)
        return bits

    def _learn(self, total: int, clusters: Counts) -> None:
        """Compute what clusters add in the draws of so many videos."""
        draws = np.nonzero(self._total == total)[0]
        wanted = np.unique(clusters[:, draws])
        wanted = wanted[np.isnan(self._nats[np.ix_(draws, wanted)]).any(axis=0)]
        sizes, index = np.unique(self._sizes[:, draws], return_inverse=True)
        times = np.zeros((len(draws), len(sizes)))
        np.add.at(times, (np.arange(len(draws)), index.reshape(-1, len(draws))), 1)
        added = self._added(torch.from_numpy(sizes), torch.from_numpy(wanted), total).numpy()
        self._nats[np.ix_(draws, wanted)] = times @ added


def _entropy(sizes: Counts, total: Counts) -> Array:
    """(D,) bits of entropy of sizes (C, D)."""
    shares = sizes / total
    return np.asarray(np.maximum(-(special.xlogy(shares, shares) / math.log(2)).sum(axis=0), 0.0))


def _xlog2x(counts: Counts) -> Array:
    """(D,) sums of x log2 x over counts (U, D), by looking each up."""
    numbers = np.arange(int(np.max(counts)) + 1, dtype=np.float64)
    table = special.xlogy(numbers, numbers) / math.log(2)
    summed: Array = table[counts].sum(axis=0)
    return summed


def _pairs(sizes: Counts) -> Array:
    """(D,) pairs within the sizes (U, D)."""
    pairs: Array = (sizes * (sizes - 1) // 2).sum(axis=0).astype(np.float64)
    return pairs
