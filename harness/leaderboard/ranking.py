"""Divisions of comparable rows, separable pairs, and the ranks that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from harness.leaderboard import text
from harness.leaderboard.interval_ends import ERROR
from harness.leaderboard.statistics import FEWEST_GROUPS, Difference, compare, holm, rank_ranges
from harness.leaderboard.table import BoardCell, Column, Row

RULE = (
    "Rows are ranked by the mean of their ranks over the columns. Only rows with every cell done "
    "are ranked, only among rows of the same protocols, and never the references, which read labels. Two rows of a "
    "column are separable when a test paired by seed and group says so at the 5 % level after Holm's correction over "
    "all comparisons of the board: their means over new seeds on new groups differ. One seed or fewer than "
    f"{FEWEST_GROUPS} groups are not tested. A rank range such as 1–3 holds every rank that a row may have: a row "
    "stands surely behind another only if its mean rank is worse, it is separably worse in at least one column, and "
    "separably better in none. Overlapping ranges are ties."
)


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
class ColumnRank:
    """Range of places that the statistics leave open in one column."""

    low: int
    high: int
    leading: bool
    """True when nothing is separably better, unless that holds of all rows."""


@dataclass(frozen=True, slots=True)
class Rank:
    """Place of a row among the rows ranked with it."""

    place: int
    """Place by mean rank; equal means share a place."""
    low: int
    high: int
    """Last place that the statistics leave open; `low` is the first."""
    mean: float
    """Mean of the ranks in the columns that rows are ranked by."""
    columns: tuple[ColumnRank, ...]
    """Range in each column of the board; all places in one that does not rank."""

    def within(self, column: Column) -> ColumnRank:
        """Look up the range in a column."""
        return self.columns[column.index]


@dataclass(frozen=True, slots=True)
class Standing:
    """A row of a division and its rank."""

    row: Row
    rank: Rank | None
    """None for references, incomplete rows, and a row without competitors."""


@dataclass(frozen=True, slots=True)
class Division:
    """Rows that share every protocol, hence comparable; the ranked ones first.

    Those that started from weights which learnt from labels stand in a division of their own.
    """

    index: int
    standings: tuple[Standing, ...]
    protocols: int
    """Number of the protocols, which two divisions may share."""
    labelled: bool = False
    """True where the weights that its rows started from learnt from labels."""

    @property
    def letter(self) -> str:
        """Name of the protocols: A, B, ..., Z, 27, ..."""
        return chr(ord("A") + self.protocols) if self.protocols < 26 else str(self.protocols + 1)

    def differences(self, other: Division, columns: Sequence[Column]) -> tuple[tuple[str, str, str], ...]:
        """(setting, here, there) for each setting in which protocols of a column differ."""
        settings: dict[tuple[str, str, str], None] = {}
        for column in columns:
            one, two = self._protocol(column), other._protocol(column)
            if one is not None and two is not None:
                for path in sorted({*one, *two}):
                    if one.get(path) != two.get(path):
                        settings[path, one.get(path, "absent"), two.get(path, "absent")] = None
        return tuple(settings)

    def _protocol(self, column: Column) -> dict[str, str] | None:
        """Settings of the protocol that its rows share in a column."""
        protocols = (standing.row.cell(column).protocol for standing in self.standings)
        return next((text.flatten(protocol) for protocol in protocols if protocol is not None), None)


def rank(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[tuple[Division, ...], tuple[Comparison, ...]]:
    """Divide rows by protocol and labels, compare all pairs within, and rank."""
    ranking = [column for column in columns if column.ranks]
    kinds = [
        (protocols, labelled, members)
        for protocols, group in enumerate(_divide(ranking, rows))
        for labelled in (False, True)
        if (members := [row for row in group if row.labelled == labelled])
    ]
    groups = [members for _, _, members in kinds]
    able = [[row for row in group if row.complete and not row.supervised] for group in groups]
    competing = [group if len(group) > 1 else [] for group in able]
    comparisons = _compare([pair for group in competing for pair in combinations(group, 2)], ranking)
    divisions = []
    for index, ((protocols, labelled, group), competitors) in enumerate(zip(kinds, competing, strict=True)):
        ranked = [Standing(*pair) for pair in zip(competitors, _ranks(competitors, columns, comparisons), strict=True)]
        ranked.sort(key=lambda standing: standing.rank.mean if standing.rank else 0.0)
        places = {row.index for row in competitors}
        others = [Standing(row, None) for row in group if row.index not in places]
        others.sort(key=lambda standing: standing.row.supervised)
        divisions.append(Division(index, (*ranked, *others), protocols, labelled))
    return tuple(divisions), comparisons


def _divide(ranking: Sequence[Column], rows: Sequence[Row]) -> list[list[Row]]:
    """Group complete rows by protocol, each other row with the first group it fits."""
    groups: list[tuple[list[str], list[Row]]] = []
    for row in sorted(rows, key=lambda row: (row.supervised, not row.complete)):
        own = [row.cell(column).protocol_id for column in ranking]
        for protocols, members in groups:
            if all(a == b or not a or not b for a, b in zip(protocols, own, strict=True)):
                protocols[:] = [a or b for a, b in zip(protocols, own, strict=True)]
                members.append(row)
                break
        else:
            groups.append((own, [row]))
    return [sorted(members, key=lambda row: row.index) for _, members in groups]


def _compare(pairs: Sequence[tuple[Row, Row]], ranking: Sequence[Column]) -> tuple[Comparison, ...]:
    """Compare each pair in each column, and correct for the number of comparisons."""
    differences = [
        (column, one, other, difference)
        for column in ranking
        for one, other in pairs
        if (difference := _difference(one.cell(column), other.cell(column))) is not None
    ]
    adjusted = holm([difference.p for *_, difference in differences])
    return tuple(Comparison(*compared, p) for compared, p in zip(differences, adjusted, strict=True))


def _difference(one: BoardCell, other: BoardCell) -> Difference | None:
    """Compare two cells; None where nothing is tested."""
    if obstacle(one, other) or one.sample is None or other.sample is None:
        return None
    return compare(one.sample, other.sample)


def obstacle(one: BoardCell, other: BoardCell) -> str:
    """Why two cells are not tested against each other; empty where they are."""
    if one.sample is None or other.sample is None:
        return "no predictions to pair"
    if [seed.seed for seed in one.seeds] != [seed.seed for seed in other.seeds]:
        return "other seeds"
    if len(one.sample.observed) < 2:
        return "one seed"
    if min(one.sample.groups, other.sample.groups) < FEWEST_GROUPS:
        return f"fewer than {FEWEST_GROUPS} groups"
    same = _tested(one) == _tested(other) and one.sample.groups == other.sample.groups
    return "" if same else "other videos"


def _tested(cell: BoardCell) -> list[tuple[tuple[str, ...], tuple[int, ...]]]:
    """Videos and labels that each seed was measured on."""
    runs = (seed.run for seed in cell.seeds)
    return [(run.predictions.videos, run.predictions.labels) for run in runs if run and run.predictions]


def _ranks(rows: Sequence[Row], columns: Sequence[Column], comparisons: Sequence[Comparison]) -> list[Rank]:
    """Rank complete rows of one division."""
    if not rows:
        return []
    count, position = len(rows), {row.index: k for k, row in enumerate(rows)}
    signs = np.array([1 if column.metric.higher_is_better else -1 for column in columns])
    means = np.array([[cell.interval.mean if cell.interval else 0.0 for cell in row.cells] for row in rows])
    by_column = stats.rankdata(-np.round(means * signs, 12), axis=0)
    mean_rank = by_column[:, [column.ranks for column in columns]].mean(axis=1)
    better = np.zeros((len(columns), count, count), dtype=bool)
    for comparison in comparisons:
        if comparison.separable and comparison.one.index in position:
            one, other = position[comparison.one.index], position[comparison.other.index]
            if comparison.difference.mean * signs[comparison.column.index] < 0:
                one, other = other, one
            better[comparison.column.index, one, other] = True
    ahead = mean_rank[:, None] < mean_rank[None, :] - 1e-9
    overall = rank_ranges(better.any(axis=0) & ~better.any(axis=0).T & ahead)
    ranges = [rank_ranges(matrix) for matrix in better]
    tied = [all(span == (1, count) for span in column) for column in ranges]
    return [
        Rank(
            place=1 + int(ahead[:, k].sum()),
            low=overall[k][0],
            high=overall[k][1],
            mean=float(mean_rank[k]),
            columns=tuple(
                ColumnRank(*column[k], leading=column[k][0] == 1 and not tie)
                for column, tie in zip(ranges, tied, strict=True)
            ),
        )
        for k in range(count)
    ]
