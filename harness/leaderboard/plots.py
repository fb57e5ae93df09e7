"""The plot of a board: each row's mean, interval and seeds in each column; one spec for the PNG and the page."""

from __future__ import annotations

from typing import Any

import altair as alt

from harness.leaderboard import dots, numbers
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import Datasets, configured, heading, marks
from harness.leaderboard.escaping import one_line


def spec(board: Board) -> dict[str, Any]:
    """The Vega-Lite specification, with its data."""
    count = len(board.columns)
    datasets: Datasets = {}
    chart = dots.grid(board, [(j, 0) for j in range(count)], [_title(board, j) for j in range(count)], datasets)
    title = heading(board.title, dots.CAPTION, marks(board, range(count)))
    return configured(chart.properties(title=title), datasets)


def _title(board: Board, j: int) -> alt.TitleParams:
    column = board.columns[j]
    same = len({other.data.label for other in board.columns}) == 1
    subtitle = [numbers.measured(column.metric)]
    if not same:
        subtitle.insert(0, one_line(column.data.label))
    return alt.TitleParams(one_line(column.evaluator.label), subtitle=subtitle)
