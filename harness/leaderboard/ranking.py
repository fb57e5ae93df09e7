"""Divisions of comparable rows, separable pairs, and the ranks that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from harness.leaderboard import text
from harness.leaderboard.comparisons import ComparedRows, Comparisons
from harness.leaderboard.paired_tests import paired_tests
from harness.leaderboard.statistics import FEWEST_GROUPS, holm, rank_ranges
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


def rank(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[tuple[Division, ...], Comparisons]:
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
    comparisons = _compare(competing, ranking)
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


def _compare(competing: Sequence[Sequence[Row]], ranking: Sequence[Column]) -> Comparisons:
    """Compare the rows of each group in each column, with Holm's correction."""
    tested = []
    for column in ranking:
        for group in competing:
            for alike in _comparable(group, column):
                samples = [sample for row in alike if (sample := row.cell(column).sample) is not None]
                tested.append(ComparedRows(column, tuple(alike), paired_tests(samples)))
    together = [one.upper(one.tests.p) for one in tested]
    adjusted = holm(np.concatenate(together)) if together else np.empty(0)
    parts = np.split(adjusted, np.cumsum([len(part) for part in together])[:-1]) if together else []
    return Comparisons(tuple(one.corrected(part) for one, part in zip(tested, parts, strict=True)))


def _comparable(rows: Sequence[Row], column: Column) -> list[list[Row]]:
    """Group the rows that are tested against each other in a column."""
    groups: dict[object, list[Row]] = {}
    for row in rows:
        groups.setdefault(measured_on(row.cell(column)), []).append(row)
    several = [group for group in groups.values() if len(group) > 1]
    return [group for group in several if not obstacle(group[0].cell(column), group[1].cell(column))]


def obstacle(one: BoardCell, other: BoardCell) -> str:
    """Why two cells are not tested against each other; empty where they are."""
    if one.sample is None or other.sample is None:
        return "no predictions to pair"
    if one.seed_numbers != other.seed_numbers:
        return "other seeds"
    if len(one.sample.observed) < 2:
        return "one seed"
    if min(one.sample.groups, other.sample.groups) < FEWEST_GROUPS:
        return f"fewer than {FEWEST_GROUPS} groups"
    if not (one.sample.freedom and other.sample.freedom):
        return "one group that counts in each set that is drawn from"
    return "" if measured_on(one) == measured_on(other) else "other videos"


def measured_on(cell: BoardCell) -> object:
    """Seeds, videos and labels of a cell, equal for cells that are tested together.

    So they are for a row of one fit on a test set, and one that averages fits on folds on the same test set.
    """
    sample = cell.sample
    if sample is None:
        return None
    return cell.seed_numbers, len(sample.observed), sample.groups, sample.strata, cell.tested


def _ranks(rows: Sequence[Row], columns: Sequence[Column], comparisons: Comparisons) -> list[Rank]:
    """Rank complete rows of one division."""
    if not rows:
        return []
    count, position = len(rows), {row.index: k for k, row in enumerate(rows)}
    signs = np.array([1 if column.metric.higher_is_better else -1 for column in columns])
    means = np.array([[cell.interval.mean if cell.interval else 0.0 for cell in row.cells] for row in rows])
    by_column = stats.rankdata(-np.round(means * signs, 12), axis=0)
    mean_rank = by_column[:, [column.ranks for column in columns]].mean(axis=1)
    better = np.zeros((len(columns), count, count), dtype=bool)
    for tested in comparisons.tested:
        known = [place for place, row in enumerate(tested.rows) if row.index in position]
        places = [position[tested.rows[place].index] for place in known]
        ahead_there = tested.better(int(signs[tested.column.index]))[np.ix_(known, known)]
        better[tested.column.index][np.ix_(places, places)] |= ahead_there
    ahead = mean_rank[:, None] < mean_rank[None, :] - 1e-9
    anywhere = better.any(axis=0)
    overall = rank_ranges(anywhere & ~anywhere.T & ahead)
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
