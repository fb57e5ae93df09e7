"""What is shown of a column beside the board: all metrics of its evaluator for every row, plot and pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.leaderboard import numbers, pictures, published
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import KINDS, rows
from harness.leaderboard.protocols import flatten
from harness.leaderboard.table import Cell


@dataclass(frozen=True, slots=True)
class Line:
    """A row's means and intervals as text: blank where nothing was measured, `-` where all but this metric was."""

    label: str
    kind: str
    status: str
    reason: str
    cells: tuple[tuple[str, str], ...]
    conditions: str
    """Those that not all lines share."""


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
    conditions: str
    """Those that all lines share: `device is Some GPU; threads is 8`."""
    chances: tuple[str, ...]
    pictures: tuple[pictures.File, ...]
    published: tuple[published.Source, ...]


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
        more = len(card.metrics) > 1 or not column.ranks
        own = tuple(file for picture, file in of_runs if picture.column == j)
        limits = [board.chance(j, m) for m in range(len(card.metrics))]
        chances = [
            numbers.chance(limit, metric) if limit else "" for limit, metric in zip(limits, card.metrics, strict=True)
        ]
        references = published.sources(board, column)
        if more or own or references:
            found.append(
                Section(
                    heading=board.heading(column),
                    summary=card.summary,
                    plot=plots.get(j, ""),
                    metrics=tuple(map(numbers.measured, card.metrics)) if more else (),
                    lines=tuple(_lines(board, j)) if more else (),
                    conditions=_text(_shared(board, j)),
                    chances=tuple(chances) if any(chances) else (),
                    pictures=own,
                    published=references,
                )
            )
    return found


def _lines(board: Board, j: int) -> list[Line]:
    found, shared = [], _shared(board, j)
    for label, row in rows(board):
        cell = row.cells[j]
        blank = "-" if cell.measures else ""
        cells = [
            (numbers.shown(interval.mean, metric), numbers.span(interval, metric)) if interval else (blank, "")
            for m, metric in enumerate(board.columns[j].card.metrics)
            for interval in [cell.measure(m).interval]
        ]
        own = {name: value for name, value in conditions(cell).items() if name not in shared}
        found.append(Line(label, KINDS[row.supervised], cell.status, cell.reason, tuple(cells), _text(own)))
    return found


def conditions(cell: Cell) -> dict[str, str]:
    """What its numbers depend on beside the protocol, such as the device; nothing where nothing was measured."""
    runs = [seed.run for seed in cell.seeds if seed.run is not None and seed.values]
    found = runs[0].protocol.get("conditions") if runs else None
    return flatten(found) if found else {}


def _shared(board: Board, j: int) -> dict[str, str]:
    found = [values for row in board.rows if (values := conditions(row.cells[j]))]
    return dict(set.intersection(*(set(values.items()) for values in found))) if found else {}


def _text(values: Mapping[str, str]) -> str:
    return "; ".join(f"{name} is {value}" for name, value in sorted(values.items()))
