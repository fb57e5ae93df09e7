"""Sections of a board: a column's metrics, pictures and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.leaderboard import text
from harness.leaderboard.board import Board, RunPicture
from harness.leaderboard.published import PaperNumbers, published_in
from harness.leaderboard.table import BoardCell, Column

OF_SUPERVISED = "% of supervised"


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A row's means and intervals in all metrics, as text."""

    label: str
    kind: str
    cell: BoardCell
    values: tuple[tuple[str, str], ...]
    """(mean, span): blank where nothing was measured, `-` where other metrics were."""
    conditions: str
    """Conditions that not all rows share."""


@dataclass(frozen=True, slots=True)
class EvaluatorSection:
    """A column of which there is more to show than the board's table does."""

    column: Column
    metrics: tuple[str, ...]
    """Headings; empty where the board's table has the only metric already."""
    rows: tuple[MetricRow, ...]
    conditions: str
    """Conditions that all rows share: `device is Some GPU; threads is 8`."""
    chances: tuple[str, ...]
    """Chance in each metric; empty where no metric has it."""
    pictures: tuple[RunPicture, ...]
    published: tuple[PaperNumbers, ...]


def evaluator_sections(board: Board) -> list[EvaluatorSection]:
    """Make a section for each column that has several metrics, pictures or references."""
    sections = []
    for column in board.columns:
        shown = _measured(board, column)
        metrics = [column.card.metrics[index] for index in shown]
        pictures = tuple(picture for picture in board.run_pictures if picture.column.index == column.index)
        published = published_in(board, column)
        if column.detailed or pictures or published:
            headings = [*map(text.metric_heading, metrics)]
            chances = [text.chance(column.chance(metric), metric) for metric in metrics]
            shares = _shares_of_supervised(board, column)
            if shares:
                headings.append(OF_SUPERVISED)
                chances.append("")
            sections.append(
                EvaluatorSection(
                    column=column,
                    metrics=tuple(headings) if column.detailed else (),
                    rows=_metric_rows(board, column, shown, shares) if column.detailed else (),
                    conditions=_listed(column.conditions),
                    chances=tuple(chances) if any(chances) else (),
                    pictures=pictures,
                    published=published,
                )
            )
    return sections


def _measured(board: Board, column: Column) -> list[int]:
    """Positions of the metrics that some row has; of all where nothing was measured."""
    cells = [row.cell(column) for row in board.rows]
    every = range(len(column.card.metrics))
    measured = [index for index in every if any(cell.metrics and cell.metrics[index].interval for cell in cells)]
    return measured or list(every)


def _shares_of_supervised(board: Board, column: Column) -> dict[int, str]:
    """Accuracy of each row in % of the supervised one's, by the row's index.

    Supervised is the first reference of the same network and, where the row has them, data set and frames; empty where
    no row has one, or the metric is no accuracy.
    """
    alike = all(row.supervised for row in board.rows)
    if alike or column.metric.unit != "%" or column.metric.bounds != (0.0, 1.0):
        return {}
    shares = {}
    for row in board.rows:
        own = row.cell(column)
        for reference in board.supervised_rows:
            theirs = reference.cell(column)
            same = all(mine in ("", its) for mine, its in zip(row.setting, reference.setting, strict=True))
            comparable = (own.status, own.protocol_id) == (theirs.status, theirs.protocol_id) and own.status == "done"
            if same and comparable and own.interval and theirs.interval and theirs.interval.mean > 0:
                shares[row.index] = f"{100 * own.interval.mean / theirs.interval.mean:.0f}"
                break
    return shares


def _metric_rows(
    board: Board, column: Column, shown: Sequence[int], shares: Mapping[int, str]
) -> tuple[MetricRow, ...]:
    shared = column.conditions
    rows = []
    for label, row in board.ranked_rows:
        cell = row.cell(column)
        blank = "-" if cell.interval else ""
        values = tuple(
            (text.number(one.interval.mean, one.metric), text.span(one.interval, one.metric))
            if one.interval
            else (blank, "")
            for one in [cell.metrics[index] for index in shown if cell.metrics]
        )
        if shares:
            values = (*values, (shares.get(row.index, ""), ""))
        own = {name: value for name, value in cell.conditions.items() if name not in shared}
        rows.append(MetricRow(label, row.kind, cell, values, _listed(own)))
    return tuple(rows)


def _listed(conditions: Mapping[str, str]) -> str:
    return "; ".join(f"{name} is {value}" for name, value in sorted(conditions.items()))
