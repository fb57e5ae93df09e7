"""Details of each row as JSON: seeds, comparisons and provenance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.comparisons import Comparison
from harness.leaderboard.table import BoardCell, Column, MetricSummary, Row, SeedResult
from harness.system.text import one_line

NEAREST = 20
"""Number of rows next to it in rank that a row is shown against at most."""


def details(board: Board) -> list[dict[str, Any]]:
    """Make one JSON value for each row of the board."""
    near = _nearest(board)
    return [_cleaned(_row(board, row, near.get(row.index, ()))) for row in board.rows]


def _nearest(board: Board) -> dict[int, list[Row]]:
    """Rows next to each ranked row in its division, in the board's order."""
    near = {}
    for division in board.divisions:
        ranked = [standing.row for standing in division.standings if standing.rank]
        for place, row in enumerate(ranked):
            first = max(0, min(place - NEAREST // 2, len(ranked) - NEAREST - 1))
            near[row.index] = sorted(ranked[first : first + NEAREST + 1], key=lambda one: one.index)
    return near


def _cleaned(value: Any) -> Any:
    """Put every text on one line, without what reorders it on screen."""
    if isinstance(value, dict):
        return {one_line(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return one_line(value) if isinstance(value, str) else value


def _row(board: Board, row: Row, near: Sequence[Row]) -> dict[str, Any]:
    runs = [seed.run for cell in row.cells for seed in cell.seeds if seed.run]
    backbone, pretraining, frames, precision = row.setting
    return {
        "title": row.label,
        "facts": {
            "method": row.method,
            "backbone": backbone or "none",
            **({"starts from": "; ".join(map(str, row.starts))} if row.starts else {}),
            "learnt from": (", ".join(filter(None, (pretraining, frames))) or "nothing")
            + (", with labels" if row.supervised else ""),
            "sees": row.sees,
            **({"precision": precision} if precision else {}),
            "fits": "; ".join(dict.fromkeys(run.fit_key for run in runs)) or "none",
        },
        "cells": [_cell(board, row, column, near) for column in board.columns],
        "provenance": text.merge(run.provenance for run in runs),
    }


def _cell(board: Board, row: Row, column: Column, near: Sequence[Row]) -> dict[str, Any]:
    cell, metric = row.cell(column), column.metric
    return {
        "title": column.heading,
        "metric": text.metric_heading(metric),
        "mean": text.number(cell.interval.mean, metric) if cell.interval else cell.status,
        "span": text.span(cell.interval, metric) if cell.interval else "",
        "facts": _facts(cell, _shares(board, row, column)),
        "seeds": [_seed(seed, column) for seed in cell.seeds],
        "metrics": [_metric(summary) for summary in cell.metrics if summary.interval] if len(cell.metrics) > 1 else [],
        "comparisons": [_compared(one) for one in board.comparisons.of(row, column, near)],
        "protocol": text.flatten(cell.protocol) if cell.protocol else {},
    }


def _facts(cell: BoardCell, shares: dict[str, str]) -> dict[str, str]:
    facts: dict[str, str] = {"status": cell.status}
    if cell.reason:
        facts["reason"] = cell.reason
    if cell.coverage:
        facts["coverage"] = cell.coverage
    if cell.data_faults:
        facts["data"] = cell.data_faults
    if cell.interval and cell.interval.covers:
        facts["interval covers"] = cell.interval.covers
    if cell.primary.chance is not None:
        facts["chance"] = text.number(cell.primary.chance, cell.primary.metric)
    facts |= shares
    if cell.protocol_id:
        facts["protocol id"] = cell.protocol_id
    return facts


def _shares(board: Board, row: Row, column: Column) -> dict[str, str]:
    """Shares of the supervised results of the same backbone, budget and protocol."""
    cell, metric = row.cell(column), column.metric
    if row.supervised or cell.status != "done" or cell.interval is None:
        return {}
    if metric.unit != "%" or not metric.higher_is_better:
        return {}
    shares = {}
    for other in board.supervised_rows:
        theirs = other.cell(column)
        same = (other.identity.backbone, other.identity.frames) == (row.identity.backbone, row.identity.frames)
        comparable = same and theirs.status == "done" and theirs.protocol_id == cell.protocol_id
        if comparable and theirs.interval is not None and theirs.interval.mean > 0:
            shares[f"of {other.method}"] = f"{100 * cell.interval.mean / theirs.interval.mean:.0f} %"
    return shares


def _seed(seed: SeedResult, column: Column) -> dict[str, Any]:
    value = seed.value(column.metric)
    return {
        "seed": seed.seed,
        "value": "" if value is None else text.number(value, column.metric),
        "status": seed.status,
        "reason": seed.reason,
        "command": f"harness show {seed.key}" if seed.run else "",
    }


def _metric(summary: MetricSummary) -> dict[str, str]:
    assert summary.interval is not None
    metric = summary.metric
    return {
        "metric": text.metric_heading(metric),
        "mean": text.number(summary.interval.mean, metric),
        "span": text.span(summary.interval, metric),
        "chance": "" if summary.chance is None else text.number(summary.chance, metric),
        "seeds": " ".join(text.number(value, metric) for _, value in summary.values),
    }


def _compared(comparison: Comparison) -> dict[str, Any]:
    """Paired difference of a row to another."""
    return {
        "other": comparison.other.label,
        "difference": text.signed(comparison.difference, comparison.column.metric),
        "p": text.p_value(comparison.adjusted),
        "separable": comparison.separable,
    }
