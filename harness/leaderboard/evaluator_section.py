"""What the page shows of a column beside the board: all metrics of its evaluator for every row, plot and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.leaderboard import numbers, pictures
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import KINDS, rows


@dataclass(frozen=True, slots=True)
class Line:
    """A row's means and intervals as text, blank where there is none."""

    label: str
    kind: str
    status: str
    reason: str
    cells: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A column."""

    heading: str
    summary: str
    plot: str
    """The plot's file name; empty where there is no plot."""
    metrics: tuple[str, ...]
    """Empty where the board shows the only one already."""
    lines: tuple[Line, ...]
    chances: tuple[str, ...]
    pictures: tuple[pictures.File, ...]


def sections(board: Board, plots: Mapping[int, str]) -> list[Section]:
    """One for each column of which there is more to show than the board does.

    Args:
        board: what to show.
        plots: file names by column.
    """
    of_runs = pictures.of_runs(board)
    found = []
    for j, column in enumerate(board.columns):
        card = column.card
        several = len(card.metrics) > 1
        own = tuple(file for picture, file in of_runs if picture.column == j)
        limits = [board.chance(j, m) for m in range(len(card.metrics))]
        chances = [
            numbers.chance(limit, metric) if limit else "" for limit, metric in zip(limits, card.metrics, strict=True)
        ]
        if several or own:
            found.append(
                Section(
                    heading=board.heading(column),
                    summary=card.summary,
                    plot=plots.get(j, ""),
                    metrics=tuple(map(numbers.measured, card.metrics)) if several else (),
                    lines=tuple(_lines(board, j)) if several else (),
                    chances=tuple(chances) if any(chances) else (),
                    pictures=own,
                )
            )
    return found


def _lines(board: Board, j: int) -> list[Line]:
    found = []
    for label, row in rows(board):
        cell, cells = row.cells[j], []
        for m, metric in enumerate(board.columns[j].card.metrics):
            interval = cell.measure(m).interval
            cells.append(
                (numbers.shown(interval.mean, metric), numbers.span(interval, metric)) if interval else ("", "")
            )
        found.append(Line(label, KINDS[row.supervised], cell.status, cell.reason, tuple(cells)))
    return found
