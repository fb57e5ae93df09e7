"""The plot of a board: each row in each column of the ranking; one spec for the PNG and the page."""

from __future__ import annotations

import altair as alt

from harness.leaderboard import dots, numbers
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import Datasets, Spec, heading, marks, whole
from harness.leaderboard.escaping import one_line


def spec(board: Board) -> Spec:
    """The Vega-Lite specification, with its data."""
    datasets: Datasets = {}
    titles = [_title(board, j) for j in board.ranking]
    metrics = [(j, 0) for j in board.ranking]
    chart = dots.grid(board, metrics, titles, datasets)
    title = heading(board.title, dots.caption(board, metrics), marks(board, board.ranking))
    return whole(chart, title, datasets)


def _title(board: Board, j: int) -> alt.TitleParams:
    column = board.columns[j]
    same = len({other.data.label for other in board.columns}) == 1
    subtitle = [numbers.measured(column.metric)]
    if not same:
        subtitle.insert(0, one_line(column.data.label))
    return alt.TitleParams(one_line(column.evaluator.label), subtitle=subtitle)
