"""Who may be ranked with whom, which pairs are separable, and the ranks that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from harness.leaderboard.statistics import Difference, compare, holm, rank_ranges
from harness.leaderboard.table import Cell, Column, Row

LEVEL = 0.05

RULE = (
    "Rows are ranked by the mean of their ranks over the columns. Only rows with every cell done "
    "are ranked, only among rows of the same protocols, and never the references, which read labels. Two rows of a "
    "column are separable when a paired bootstrap over groups says so at the 5 % level after Holm's correction over "
    "all comparisons of the board. A rank range such as 1–3 holds every rank that a row may have: a row stands surely "
    "behind another only if its mean rank is worse, it is separably worse in at least one column, and separably "
    "better in none. Overlapping ranges are ties."
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two rows in one column: `one` minus `other`, positions in the table's rows."""

    column: int
    one: int
    other: int
    difference: Difference
    adjusted: float
    """The p-value after Holm's correction."""

    @property
    def separable(self) -> bool:
        """Whether the difference survives the correction."""
        return self.adjusted < LEVEL


@dataclass(frozen=True, slots=True)
class Rank:
    """Where a row stands among the rows ranked with it."""

    place: int
    """By mean rank; equal means share a place."""
    low: int
    high: int
    """The range of places that the statistics leave open."""
    mean: float
    columns: tuple[tuple[int, int], ...]
    """The same range within each column; every place in one that rows are not ranked by."""
    leading: tuple[bool, ...]
    """For each column, whether nothing is separably better, unless that holds of all rows."""


@dataclass(frozen=True, slots=True)
class Division:
    """Rows that share every protocol, hence comparable: positions in the table's rows, the ranked ones first."""

    rows: tuple[int, ...]
    ranks: tuple[Rank | None, ...]
    """None for references, incomplete rows, and a row that has nobody to be ranked with."""


def rank(columns: Sequence[Column], rows: Sequence[Row]) -> tuple[tuple[Division, ...], tuple[Comparison, ...]]:
    """Divide `rows` by protocol, compare all pairs within, and rank."""
    members = _divide(columns, rows)
    able = [[i for i in group if rows[i].complete and not rows[i].supervised] for group in members]
    ranked = [group if len(group) > 1 else [] for group in able]
    comparisons = _compare([pair for group in ranked for pair in combinations(group, 2)], columns, rows)
    divisions = []
    for group, competing in zip(members, ranked, strict=True):
        ranks = dict(zip(competing, _ranks(competing, columns, rows, comparisons), strict=True))
        others = sorted((i for i in group if i not in ranks), key=lambda i: rows[i].supervised)
        order = (*sorted(ranks, key=lambda i: ranks[i].mean), *others)
        divisions.append(Division(order, tuple(ranks.get(i) for i in order)))
    return tuple(divisions), comparisons


def _divide(columns: Sequence[Column], rows: Sequence[Row]) -> list[list[int]]:
    """Complete rows by their protocols; every other row joins the first division that none of its cells contradicts."""
    ranking = [j for j, column in enumerate(columns) if column.ranks]
    groups: list[tuple[list[str], list[int]]] = []
    for i in sorted(range(len(rows)), key=lambda i: (rows[i].supervised, not rows[i].complete)):
        own = [rows[i].cells[j].protocol_id for j in ranking]
        for protocols, members in groups:
            if all(a == b or not a or not b for a, b in zip(protocols, own, strict=True)):
                protocols[:] = [a or b for a, b in zip(protocols, own, strict=True)]
                members.append(i)
                break
        else:
            groups.append((own, [i]))
    return [sorted(members) for _, members in groups]


def _compare(
    pairs: Sequence[tuple[int, int]], columns: Sequence[Column], rows: Sequence[Row]
) -> tuple[Comparison, ...]:
    found = []
    for column in range(len(columns)):
        for one, other in pairs:
            difference = _difference(rows[one].cells[column], rows[other].cells[column])
            if difference is not None and columns[column].ranks:
                found.append((column, one, other, difference))
    adjusted = holm([difference.p for *_, difference in found])
    return tuple(Comparison(*which, p) for which, p in zip(found, adjusted, strict=True))


def _difference(one: Cell, other: Cell) -> Difference | None:
    """None where pairing is impossible: no predictions, other videos, or other seeds."""
    if one.sample is None or other.sample is None or one.sample.groups < 2 or one.sample.groups != other.sample.groups:
        return None
    if [seed.seed for seed in one.seeds] != [seed.seed for seed in other.seeds]:
        return None
    runs = (one.seeds[0].run, other.seeds[0].run)
    tests = [(run.predictions.videos, run.predictions.labels) for run in runs if run and run.predictions]
    return compare(one.sample, other.sample) if tests[0] == tests[1] else None


def _ranks(
    able: Sequence[int], columns: Sequence[Column], rows: Sequence[Row], comparisons: Sequence[Comparison]
) -> list[Rank]:
    if not able:
        return []
    count, position = len(able), {row: k for k, row in enumerate(able)}
    signs = np.array([1 if column.metric.higher_is_better else -1 for column in columns])
    means = np.array([[cell.interval.mean if cell.interval else 0.0 for cell in rows[i].cells] for i in able])
    by_column = stats.rankdata(-np.round(means * signs, 12), axis=0)
    mean_rank = by_column[:, [column.ranks for column in columns]].mean(axis=1)
    better = np.zeros((len(columns), count, count), dtype=bool)
    for comparison in comparisons:
        if comparison.separable and comparison.one in position:
            one, other = position[comparison.one], position[comparison.other]
            if comparison.difference.mean * signs[comparison.column] < 0:
                one, other = other, one
            better[comparison.column, one, other] = True
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
            columns=tuple(column[k] for column in ranges),
            leading=tuple(column[k][0] == 1 and not tie for column, tie in zip(ranges, tied, strict=True)),
        )
        for k in range(count)
    ]
