"""Notes of a board on what limits its claims, such as few seeds or groups."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import stdev

import numpy as np

from harness.cards import Elsewhere, Metric, in_words
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.interval_ends import ERROR, student
from harness.leaderboard.ranking import measured_on, obstacle
from harness.leaderboard.statistics import FEWEST_GROUPS
from harness.leaderboard.table import BoardCell, Column, Row, is_limited

ENOUGH_SEEDS = 5
"""Number of seeds advised where there are fewer; elsewhere twice as many."""


@dataclass(frozen=True, slots=True)
class Caution:
    """One note, and the command that mends what it says."""

    text: str
    command: str = ""
    """Empty where more seeds do not help."""


def cautions(board: Board) -> tuple[Caution, ...]:
    """List what limits the comparison of the board's rows."""
    notes = [_one_seed(board)] if len(board.seeds) == 1 else list(_wide_seeds(board))
    unchecked = [Caution(board.unchecked)] if board.unchecked else []
    limits = [column.data.options["limit"] for column in board.columns if is_limited(column.data)]
    if limits:
        unchecked.append(Caution(f"Tried out on {max(limits)} videos of each split at most: nothing is ranked."))
    return (*unchecked, *_elsewhere(board), *notes, *_few_groups(board), *_untested(board))


def more_seeds(board: Board) -> str:
    """Command that computes the board with more seeds, the first free numbers."""
    count = len(board.seeds)
    wanted = ENOUGH_SEEDS if count < ENOUGH_SEEDS else 2 * count
    free = [seed for seed in range(wanted) if seed not in board.seeds]
    seeds = sorted([*board.seeds, *free[: wanted - count]])
    return f"{board.command} --set 'seeds={seeds}'"


def _elsewhere(board: Board) -> Iterator[Caution]:
    """Name the rows whose vectors were computed elsewhere."""
    rows = [row.label for row in board.rows if in_words(Elsewhere()) in row.sees.split(" + ")]
    if rows:
        unseen = "nothing here can check what they read, nor that it was no label of a test video"
        yield Caution(f"Vectors of {', '.join(rows)} were computed elsewhere: {unseen}.")


def _one_seed(board: Board) -> Caution:
    limits = "intervals are for this fit on new groups, and rows are not tested against each other"
    return Caution(f"One seed: {limits}.", more_seeds(board))


def _wide_seeds(board: Board) -> Iterator[Caution]:
    """Name the columns in which seeds leave a mean open by more than rows differ."""
    wide = [part for column in board.ranking for rows in _ranked(board) if (part := _widest(column, rows))]
    if wide:
        differ = f"Seeds differ by {', by '.join(wide)}"
        yield Caution(f"{differ}: their mean is less certain than rows differ. Run more seeds.", more_seeds(board))


def _widest(column: Column, rows: Sequence[Row]) -> str:
    """Name the row whose seeds leave its mean less certain than rows differ."""
    summaries = [(row, row.cell(column).primary) for row in rows]
    means = [summary.interval.mean for _, summary in summaries if summary.interval]
    seeds = [(row, [value for _, value in summary.values]) for row, summary in summaries if len(summary.values) > 1]
    if len(means) < 2 or not seeds:
        return ""
    row, values = max(seeds, key=lambda one: _margin(one[1]))
    if _margin(values) <= _median_distance(means):
        return ""
    return f"{_amount(max(values) - min(values), column.metric)} in {column.heading} ({row.label})"


def _median_distance(values: Sequence[float]) -> float:
    """Median distance of all pairs of values."""
    one, other = np.triu_indices(len(values), 1)
    return float(np.median(np.abs(np.asarray(values)[one] - np.asarray(values)[other])))


def _margin(values: Sequence[float]) -> float:
    """Half the width of the interval that seeds alone give their mean."""
    return student(ERROR, len(values) - 1) * stdev(values) / math.sqrt(len(values))


def _amount(value: float, metric: Metric) -> str:
    """Format a difference: `29.3 points`, `0.41 bits`."""
    unit = {"%": " points", "1": ""}.get(metric.unit, f" {metric.unit}")
    return f"{text.number(value, metric)}{unit}"


def _few_groups(board: Board) -> Iterator[Caution]:
    """Name the columns with too few groups."""
    few = [f"{column.heading} has {min(column.groups)}" for column in board.ranking if _too_few(column)]
    if few:
        yield Caution(f"Fewer than {FEWEST_GROUPS} groups of videos: no intervals and no tests; {', '.join(few)}.")


def _too_few(column: Column) -> bool:
    return min(column.groups, default=FEWEST_GROUPS) < FEWEST_GROUPS


def _untested(board: Board) -> Iterator[Caution]:
    """Name the columns in which rows are not tested for another reason."""
    headings: dict[str, dict[str, None]] = {}
    for column in board.ranking:
        for reason in {reason for rows in _ranked(board) for reason in _obstacles(rows, column)}:
            said = _too_few(column) or (reason == "one seed" and len(board.seeds) == 1)
            if reason and not said:
                headings.setdefault(reason, {})[column.heading] = None
    for reason, columns in sorted(headings.items()):
        yield Caution(f"Not all rows are tested against each other in {', '.join(columns)}: {reason}.")


def _obstacles(rows: Sequence[Row], column: Column) -> set[str]:
    """Reasons why rows are not tested against each other; "" where some are."""
    kinds: dict[object, list[BoardCell]] = {}
    for row in rows:
        kinds.setdefault(measured_on(row.cell(column)), []).append(row.cell(column))
    pairs = [(cells[0], cells[1]) for cells in kinds.values() if len(cells) > 1]
    pairs += [(one[0], other[0]) for one, other in combinations(kinds.values(), 2)]
    return {obstacle(one, other) for one, other in pairs}


def _ranked(board: Board) -> list[list[Row]]:
    """Rows that are ranked, by division."""
    return [[standing.row for standing in division.standings if standing.rank] for division in board.divisions]
