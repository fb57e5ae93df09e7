"""Sections of a board: one evaluator's columns, and its pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.leaderboard import published, text
from harness.leaderboard.board import Board, RunPicture
from harness.leaderboard.dots import KINDS, rows
from harness.leaderboard.table import Cell
from harness.leaderboard.text import file_name, flatten


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
    pictures: tuple[File, ...]
    published: tuple[published.Source, ...]


def sections(board: Board, plots: Mapping[int, str]) -> list[Section]:
    """One for each column of which there is more to show than the board does.

    Args:
        board: what to show.
        plots: file names by column.
    """
    run_pictures = of_runs(board)
    found = []
    for j, column in enumerate(board.columns):
        card = column.card
        more = len(card.metrics) > 1 or not column.ranks
        own = tuple(file for picture, file in run_pictures if picture.column == j)
        limits = [board.chance(j, m) for m in range(len(card.metrics))]
        chances = [
            text.chance(limit, metric) if limit else "" for limit, metric in zip(limits, card.metrics, strict=True)
        ]
        references = published.sources(board, column)
        if more or own or references:
            found.append(
                Section(
                    heading=board.heading(column),
                    summary=card.summary,
                    plot=plots.get(j, ""),
                    metrics=tuple(map(text.measured, card.metrics)) if more else (),
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
            (text.shown(interval.mean, metric), text.span(interval, metric)) if interval else (blank, "")
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


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A picture as a file of the board's folder."""

    caption: str
    name: str
    png: bytes


def of_data(board: Board) -> list[File]:
    """The data's, numbered in their order."""
    return [File(caption, f"picture-{i}.png", png) for i, (caption, png) in enumerate(board.pictures.items(), start=1)]


def of_runs(board: Board) -> list[tuple[RunPicture, File]]:
    """The runs', numbered after the data's."""
    found = []
    for i, picture in enumerate(board.run_pictures, start=len(board.pictures) + 1):
        row = board.label(board.rows[picture.row])
        evaluator = file_name(board.columns[picture.column].evaluator.name)
        name = f"picture-{i}-{evaluator}-{file_name(picture.name)}.png"
        found.append((picture, File(f"{row}, seed {picture.seed}: {picture.name}", name, picture.png)))
    return found


def with_pictures(board: Board, read: Callable[[str, str], bytes | None]) -> Board:
    """`board` with the pictures of its runs: in each column those of the first seed of the row that ranks best.

    Where nothing is ranked they are those of a reference, or else of the first row.

    Args:
        board: whose runs.
        read: the PNG of a run's key and a picture's name; None leaves it out.
    """
    ranked = [(rank is None, i) for d in board.divisions for i, rank in zip(d.rows, d.ranks, strict=True)]
    order = [i for _, i in sorted(ranked, key=lambda item: (item[0], item[0] and not board.rows[item[1]].supervised))]
    found = []
    for j in range(len(board.columns)):
        cells = [(i, seed) for i in order for seed in board.rows[i].cells[j].seeds]
        first = next(((i, seed.seed, seed.run) for i, seed in cells if seed.run and seed.run.pictures), None)
        if first is not None:
            row, number, run = first
            found += [
                RunPicture(j, row, number, run.key, name, png)
                for name in run.pictures
                if (png := read(run.key, name)) is not None
            ]
    return dataclasses.replace(board, run_pictures=tuple(found))
