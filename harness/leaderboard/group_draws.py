"""Bootstrap draws of the groups of a test set, and sums over its videos in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Array = NDArray[np.float64]

EXACT = 2**24
"""Number up to which float32 holds every integer."""


@dataclass(frozen=True)
class GroupDraws:
    """The test set itself, and bootstrap draws of its G groups, D in all.

    Sums over videos are sums over groups first, which are fewer, and shared by all draws.
    """

    counts: Array
    """(G, D): how often each draw took each group; the first took all once."""
    member: NDArray[np.int64]
    """(N,): group of each video."""
    names: tuple[str, ...]
    """(G,): of the groups."""

    @classmethod
    def of(cls, groups: Sequence[str], weights: Array) -> GroupDraws:
        """Make them of (B, N) counts by video, as `group_weights` draws them.

        Raises:
            ValueError: when `weights` has another number of videos.

        >>> draws = GroupDraws.of(["a", "a", "b"], np.array([[2.0, 2.0, 0.0]]))
        >>> draws.counts.tolist(), draws.member.tolist(), draws.videos.tolist()
        ([[1.0, 2.0], [1.0, 0.0]], [0, 0, 1], [3.0, 4.0])
        """
        if weights.shape[1] != len(groups):
            msg = f"expected weights for {len(groups)} videos, got {weights.shape[1]}"
            raise ValueError(msg)
        names, first, member = np.unique(np.asarray(groups, dtype=str), return_index=True, return_inverse=True)
        counts = np.vstack([np.ones((1, len(first))), weights[:, first]]).T.copy()
        return cls(counts, member.astype(np.int64), tuple(names.tolist()))

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.counts)

    @cached_property
    def videos(self) -> Array:
        """(D,) number of videos in each draw."""
        return self.by_group(np.ones(len(self.member))) @ self.counts

    @cached_property
    def _narrow(self) -> NDArray[np.float32]:
        return self.counts.astype(np.float32)

    def by_group(self, values: Array) -> Array:
        """Sum values (..., N) over the videos of each group, (..., G)."""
        rows = values.reshape(-1, len(self.member))
        summed: Array = np.stack([np.bincount(self.member, row, self.groups) for row in rows]).astype(np.float64)
        return summed.reshape(*values.shape[:-1], self.groups)

    def sums(self, index: NDArray[np.int64]) -> NDArray[np.int64]:
        """Count the videos of each kind in each draw, (U, D), by their kinds (N,)."""
        wide = np.max(self.videos) >= EXACT
        table = self._table(index, np.ones(len(index), np.float64 if wide else np.float32))
        return np.asarray(table @ (self.counts if wide else self._narrow)).astype(np.int64)

    def weighted(self, index: NDArray[np.int64], values: Array) -> Array:
        """The same with a value for each video."""
        return np.asarray(self._table(index, values) @ self.counts)

    def _table(self, index: NDArray[np.int64], values: NDArray[np.floating]) -> sparse.csr_array:
        return sparse.csr_array((values, (index, self.member)), shape=(int(np.max(index)) + 1, self.groups))
