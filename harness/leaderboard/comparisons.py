"""Tests of all pairs of a board's rows, each made into a value when asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import overload

import numpy as np
from numpy.typing import NDArray

from harness.leaderboard.interval_ends import ERROR
from harness.leaderboard.paired_tests import PairedTests
from harness.leaderboard.statistics import Difference
from harness.leaderboard.table import Column, Row

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rows in one column: `one` minus `other`."""

    column: Column
    one: Row
    other: Row
    difference: Difference
    adjusted: float
    """The p-value after Holm's correction."""

    @property
    def separable(self) -> bool:
        """True when the difference survives the correction."""
        return self.adjusted < ERROR


@dataclass(frozen=True, slots=True)
class ComparedRows:
    """Rows that were tested against each other in one column."""

    column: Column
    rows: tuple[Row, ...]
    tests: PairedTests = field(repr=False)
    adjusted: Array = field(default_factory=lambda: np.empty((0, 0)), repr=False)
    """(R, R) p-values after Holm's correction over all comparisons of the board."""

    def upper(self, matrix: Array) -> Array:
        """Values of the pairs, each once."""
        return matrix[np.triu_indices(len(self.rows), 1)]

    def corrected(self, adjusted: Array) -> ComparedRows:
        """The same with corrected p-values, in the order of `upper`."""
        matrix = np.ones_like(self.tests.p)
        one, other = np.triu_indices(len(self.rows), 1)
        matrix[one, other] = matrix[other, one] = adjusted
        return replace(self, adjusted=matrix)

    def better(self, sign: int) -> NDArray[np.bool_]:
        """(R, R) where the row is separably better; `sign` is -1 if lower is better."""
        return (self.adjusted < ERROR) & (self.tests.mean * sign > 0)

    def pair(self, one: int, other: int) -> Comparison:
        """The comparison of two of the rows."""
        mean, margin = float(self.tests.mean[one, other]), float(self.tests.margin[one, other])
        difference = Difference(mean, mean - margin, mean + margin, float(self.tests.p[one, other]))
        return Comparison(self.column, self.rows[one], self.rows[other], difference, float(self.adjusted[one, other]))


class Comparisons(Sequence[Comparison]):
    """All comparisons of a board, each pair once.

    Args:
        tested: rows that were tested against each other, by column.
    """

    def __init__(self, tested: tuple[ComparedRows, ...] = ()) -> None:
        self.tested = tested
        self._places: dict[tuple[int, int], tuple[ComparedRows, int]] = {
            (one.column.index, row.index): (one, place) for one in tested for place, row in enumerate(one.rows)
        }

    def __len__(self) -> int:
        return sum(len(one.rows) * (len(one.rows) - 1) // 2 for one in self.tested)

    @overload
    def __getitem__(self, index: int) -> Comparison: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Comparison]: ...
    def __getitem__(self, index: int | slice) -> Comparison | Sequence[Comparison]:
        return list(self)[index]

    def __iter__(self) -> Iterator[Comparison]:
        for tested in self.tested:
            for one in range(len(tested.rows)):
                for other in range(one + 1, len(tested.rows)):
                    yield tested.pair(one, other)

    def of(self, row: Row, column: Column, others: Sequence[Row]) -> Iterator[Comparison]:
        """Comparisons of a row with some others in a column: the row minus each."""
        tested, place = self._places.get((column.index, row.index), (None, 0))
        for other in others:
            found, there = self._places.get((column.index, other.index), (None, 0))
            if tested is not None and found is tested and there != place:
                yield tested.pair(place, there)
