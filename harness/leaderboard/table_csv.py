"""A board as CSV: one line a metric of a cell, numbers in the unit shown."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.ranking import Rank, Standing
from harness.leaderboard.table import BoardCell, Column, MetricSummary, Row
from harness.system.text import csv_cell

HEADER = (
    *("method", "backbone", "pretraining", "frames", "starts", "sees", "reference", "labelled"),
    *("evaluator", "data", "metric", "primary", "unit"),
    *("mean", "low", "high", "interval_covers", "chance", "seeds", "values"),
    *("videos", "groups", "coverage", "data_faults", "protocols"),
    *("rank", "rank_low", "rank_high", "mean_rank", "column_rank_low", "column_rank_high"),
    *("status", "reason", "protocol_id", "run_keys"),
)


def table_csv(board: Board) -> str:
    """Write the file's text; unknown values are blank."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_lines(board))
    return file.getvalue()


def _lines(board: Board) -> Iterator[list[str | int]]:
    rows = [(standing, division.letter) for division in board.divisions for standing in division.standings]
    rows += [(Standing(row, None), "") for row in board.at_shares]
    for standing, protocols in rows:
        for column in board.columns:
            cell = standing.row.cell(column)
            for summary in cell.metrics:
                primary = summary is cell.primary
                rank = standing.rank if primary and column.ranks else None
                yield [
                    *_row(standing.row),
                    *(csv_cell(column.evaluator.label), csv_cell(column.data.label)),
                    *(csv_cell(summary.metric.id), "yes" if primary else "no", summary.metric.unit),
                    *_numbers(summary),
                    *_test_set(cell),
                    protocols,
                    *_rank(rank, column),
                    *_state(cell),
                ]


def _row(row: Row) -> list[str | int]:
    backbone, pretraining, *_ = row.setting
    return [
        *map(csv_cell, (row.method, backbone, pretraining)),
        row.identity.frames or "",
        csv_cell("; ".join(map(str, row.starts))),
        csv_cell(row.sees),
        "yes" if row.supervised else "no",
        "yes" if row.labelled else "no",
    ]


def _numbers(summary: MetricSummary) -> list[str]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{text.scaled(value, summary.metric):.4f}"

    interval = summary.interval
    limits = (interval.mean, interval.low, interval.high) if interval else (None, None, None)
    return [
        *map(number, limits),
        (interval.covers or "") if interval else "",
        number(summary.chance),
        " ".join(str(seed) for seed, _ in summary.values),
        " ".join(number(value) for _, value in summary.values),
    ]


def _test_set(cell: BoardCell) -> list[str | int]:
    return [
        "" if cell.videos is None else cell.videos,
        "" if cell.groups is None else cell.groups,
        csv_cell(cell.coverage),
        csv_cell(cell.data_faults),
    ]


def _rank(rank: Rank | None, column: Column) -> list[str | int]:
    if rank is None:
        return [""] * 6
    within = rank.within(column)
    return [rank.place, rank.low, rank.high, f"{rank.mean:.4f}", within.low, within.high]


def _state(cell: BoardCell) -> list[str]:
    keys = " ".join(seed.key for seed in cell.seeds)
    return [cell.status, csv_cell(cell.reason), csv_cell(cell.protocol_id), csv_cell(keys)]
