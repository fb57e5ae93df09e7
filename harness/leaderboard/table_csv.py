"""A board as CSV: one line for each metric of each cell, numbers in the unit they are shown in."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from harness.leaderboard.board import Board
from harness.leaderboard.ranking import Rank
from harness.leaderboard.table import Cell, Column
from harness.leaderboard.text import cell as text
from harness.leaderboard.text import coverage, letter, scaled

HEADER = (
    "method",
    "backbone",
    "pretraining",
    "frames",
    "reference",
    "evaluator",
    "data",
    "metric",
    "primary",
    "unit",
    "mean",
    "low",
    "high",
    "interval_carries",
    "chance",
    "seeds",
    "values",
    "videos",
    "groups",
    "coverage",
    "protocols",
    "rank",
    "rank_low",
    "rank_high",
    "mean_rank",
    "column_rank_low",
    "column_rank_high",
    "status",
    "reason",
    "protocol_id",
    "run_keys",
)


def table_csv(board: Board) -> str:
    """The file's text; what is not known is blank."""
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows(_lines(board))
    return file.getvalue()


def _lines(board: Board) -> Iterator[list[str | int]]:
    for number, division in enumerate(board.divisions):
        for i, rank in zip(division.rows, division.ranks, strict=True):
            row = board.rows[i]
            method, backbone, pretraining, _ = map(text, row.parts)
            who: list[str | int] = [
                method,
                backbone,
                pretraining,
                row.identity.frames,
                "yes" if row.supervised else "no",
            ]
            for j, (column, cell) in enumerate(zip(board.columns, row.cells, strict=True)):
                for m in range(len(column.card.metrics)):
                    ranked = _rank(rank if m == 0 and column.ranks else None, j)
                    yield [*who, *_what(column, m), *_numbers(cell, column, m), letter(number), *ranked, *_state(cell)]


def _what(column: Column, m: int) -> list[str]:
    metric, primary = column.card.metrics[m], "no" if m else "yes"
    return [text(column.evaluator.label), text(column.data.label), text(metric.id), primary, metric.unit]


def _numbers(cell: Cell, column: Column, m: int) -> list[str | int]:
    def number(value: float | None) -> str:
        return "" if value is None else f"{scaled(value, column.card.metrics[m]):.4f}"

    interval = cell.measure(m).interval
    limits = (interval.mean, interval.low, interval.high) if interval else (None, None, None)
    values = [(seed.seed, seed.values[m]) for seed in cell.seeds if seed.values and seed.values[m] is not None]
    return [
        *map(number, limits),
        (interval.carries or "") if interval else "",
        number(cell.measure(m).baseline),
        " ".join(str(seed) for seed, _ in values),
        " ".join(number(value) for _, value in values),
        "" if cell.videos is None else cell.videos,
        "" if cell.groups is None else cell.groups,
        text(coverage(cell)),
    ]


def _rank(rank: Rank | None, column: int) -> list[str | int]:
    if rank is None:
        return [""] * 6
    return [rank.place, rank.low, rank.high, f"{rank.mean:.4f}", *rank.columns[column]]


def _state(cell: Cell) -> list[str]:
    keys = " ".join(seed.key for seed in cell.seeds)
    return [cell.status, text(cell.reason), text(cell.protocol_id), text(keys)]
