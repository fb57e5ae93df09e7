"""The plot of a board: each row in each column of the ranking; one spec for the PNG and the page."""

from __future__ import annotations

import textwrap

import altair as alt

from harness.cards import Metric
from harness.leaderboard import curves, dots, text
from harness.leaderboard.board import Board
from harness.leaderboard.dots import Datasets, Spec, below, beside, heading, marks, whole
from harness.leaderboard.sections import conditions
from harness.leaderboard.text import one_line


def board_spec(board: Board) -> Spec:
    """The Vega-Lite specification, with its data."""
    datasets: Datasets = {}
    titles = [_column_title(board, j) for j in board.ranking]
    metrics = [(j, 0) for j in board.ranking]
    chart = dots.grid(board, metrics, titles, datasets)
    title = heading(board.title, dots.caption(board, metrics), marks(board, board.ranking))
    return whole(chart, title, datasets)


def _column_title(board: Board, j: int) -> alt.TitleParams:
    column = board.columns[j]
    same = len({other.data.label for other in board.columns}) == 1
    subtitle = [text.measured(column.metric)]
    if not same:
        subtitle.insert(0, one_line(column.data.label))
    return alt.TitleParams(one_line(column.evaluator.label), subtitle=subtitle)


def evaluator_spec(board: Board, j: int) -> Spec | None:
    """The Vega-Lite specification of column `j`, with its data; None where it would show no more than the board's."""
    card = board.columns[j].card
    found = curves.curves(card)
    curved = {m for curve in found for m, *_ in curve.metrics}
    measured = [m for m in range(len(card.metrics)) if any(row.cells[j].measure(m).interval for row in board.rows)]
    plain = [m for m in measured if m not in curved]
    if not measured or (len(card.metrics) < 2 and board.columns[j].ranks):
        return None
    parts: list[Spec] = []
    captions: list[str] = []
    datasets: Datasets = {}
    if len(plain) < len(measured):
        width = curves.WIDTH if len(found) > 1 else 3 * curves.WIDTH // 2
        panels = [panel for curve in found if (panel := curves.panel(board, j, curve, width, datasets)) is not None]
        parts.append(_lines(panels))
        captions.append(curves.CAPTION)
    if plain:
        titles = [_metric_title(card.metrics[m]) for m in plain]
        metrics = [(j, m) for m in plain]
        parts.append(dots.grid(board, metrics, titles, datasets))
        captions.append(dots.caption(board, metrics))
    if len({tuple(conditions(row.cells[j]).items()) for row in board.rows if row.cells[j].measures}) > 1:
        captions.append("Not all rows were measured under the same conditions; the table names them.")
    captions.append(marks(board, [j], curved=len(plain) < len(measured)))
    title = heading(board.heading(board.columns[j]), *captions)
    return whole(below(parts, 34), title, datasets)


def _lines(panels: list[alt.LayerChart]) -> Spec:
    """Panels of curves, at most two beside each other."""
    return below([beside(panels[start : start + 2], 30) for start in range(0, len(panels), 2)], 26)


def _metric_title(metric: Metric) -> alt.TitleParams:
    """A metric's title on lines as narrow as its panel."""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    lines = textwrap.wrap(one_line(metric.title), 28) or [metric.id]
    return alt.TitleParams(lines, subtitle=better if metric.unit == "1" else f"{metric.unit}, {better}")
