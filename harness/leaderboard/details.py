"""What the page shows of a row beside its numbers: seeds, comparisons, protocols and provenance."""

from __future__ import annotations

from typing import Any

from harness.leaderboard import numbers
from harness.leaderboard.board import Board
from harness.leaderboard.coverage import coverage
from harness.leaderboard.escaping import one_line
from harness.leaderboard.protocols import flatten, merge
from harness.leaderboard.statistics import Difference
from harness.leaderboard.table import Cell, Measurement, Row


def details(board: Board) -> list[dict[str, Any]]:
    """One JSON value for each row of the board."""
    return [_cleaned(_row(board, i)) for i in range(len(board.rows))]


def _cleaned(value: Any) -> Any:
    """`value` with every text on one line and without what reorders it on screen."""
    if isinstance(value, dict):
        return {one_line(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return one_line(value) if isinstance(value, str) else value


def _row(board: Board, i: int) -> dict[str, Any]:
    row = board.rows[i]
    runs = [seed.run for cell in row.cells for seed in cell.seeds if seed.run]
    method, backbone, pretraining, frames = row.parts
    return {
        "title": board.label(row),
        "facts": {
            "method": method,
            "backbone": backbone,
            "learnt from": f"{pretraining}, {frames}" + (", with labels" if row.supervised else ""),
            "fits": "; ".join(dict.fromkeys(run.fit_key for run in runs)) or "none",
        },
        "cells": [_cell(board, i, j, cell) for j, cell in enumerate(row.cells)],
        "provenance": merge(run.provenance for run in runs),
    }


def _cell(board: Board, i: int, j: int, cell: Cell) -> dict[str, Any]:
    column = board.columns[j]
    metric, interval = column.metric, cell.interval
    protocol = next((seed.run.protocol for seed in cell.seeds if seed.run and seed.status == "done"), None)
    facts: dict[str, str] = {"status": cell.status}
    if cell.reason:
        facts["reason"] = cell.reason
    if seen := coverage(cell):
        facts["coverage"] = seen
    if interval and interval.carries:
        facts["interval carries"] = interval.carries
    if cell.baseline is not None:
        facts["chance"] = numbers.shown(cell.baseline, metric)
    facts |= _shares(board, i, j)
    if cell.protocol_id:
        facts["protocol id"] = cell.protocol_id
    return {
        "title": board.heading(column),
        "metric": numbers.measured(metric),
        "mean": numbers.shown(interval.mean, metric) if interval else cell.status,
        "span": numbers.span(interval, metric) if interval else "",
        "facts": facts,
        "seeds": [_seed(board, j, seed) for seed in cell.seeds],
        "metrics": _metrics(board, j, cell),
        "comparisons": _comparisons(board, i, j),
        "protocol": flatten(protocol) if protocol else {},
    }


def _seed(board: Board, j: int, seed: Measurement) -> dict[str, Any]:
    metric = board.columns[j].metric
    return {
        "seed": seed.seed,
        "value": "" if seed.value is None else numbers.shown(seed.value, metric),
        "status": seed.status,
        "reason": seed.reason,
        "command": f"harness show {seed.key}" if seed.run else "",
    }


def _metrics(board: Board, j: int, cell: Cell) -> list[dict[str, str]]:
    """All metrics of the column's card that the cell has; nothing where there is only the primary one."""
    card, found = board.columns[j].card, []
    for m, metric in enumerate(card.metrics if len(card.metrics) > 1 else ()):
        measure = cell.measure(m)
        if measure.interval is not None:
            values = [seed.values[m] for seed in cell.seeds if seed.values]
            found.append(
                {
                    "metric": numbers.measured(metric),
                    "mean": numbers.shown(measure.interval.mean, metric),
                    "span": numbers.span(measure.interval, metric),
                    "chance": "" if measure.baseline is None else numbers.shown(measure.baseline, metric),
                    "seeds": " ".join(numbers.shown(value, metric) for value in values if value is not None),
                }
            )
    return found


def _shares(board: Board, i: int, j: int) -> dict[str, str]:
    """What share of each supervised result of the same backbone, budget and protocol the row reaches."""
    row, metric = board.rows[i], board.columns[j].metric
    cell = row.cells[j]
    if row.supervised or cell.status != "done" or cell.interval is None:
        return {}
    if metric.unit != "%" or not metric.higher_is_better:
        return {}
    shares = {}
    for other in board.rows:
        theirs = other.cells[j]
        same = (other.identity.backbone, other.identity.frames) == (row.identity.backbone, row.identity.frames)
        comparable = other.supervised and same and theirs.status == "done" and theirs.protocol_id == cell.protocol_id
        if comparable and theirs.interval is not None and theirs.interval.mean > 0:
            shares[f"of {other.parts[0]}"] = numbers.share(cell.interval.mean, theirs.interval.mean)
    return shares


def _comparisons(board: Board, i: int, j: int) -> list[dict[str, Any]]:
    """The paired differences of row `i` to the others of its column."""
    found = []
    for comparison in board.comparisons:
        if comparison.column == j and i in (comparison.one, comparison.other):
            turned = comparison.other == i
            difference = comparison.difference
            if turned:
                difference = Difference(-difference.mean, -difference.high, -difference.low, difference.p)
            other: Row = board.rows[comparison.one if turned else comparison.other]
            found.append(
                {
                    "other": board.label(other),
                    "difference": numbers.signed(difference, board.columns[j].metric),
                    "p": numbers.probability(comparison.adjusted),
                    "separable": comparison.separable,
                }
            )
    return found
