"""The plot of one column: all metrics of its evaluator, curves for those that lie on one and dots for the others."""

from __future__ import annotations

import textwrap

import altair as alt

from harness.cards import Metric
from harness.leaderboard import curves, dots
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import Datasets, Spec, below, beside, heading, marks, whole
from harness.leaderboard.escaping import one_line
from harness.leaderboard.evaluator_section import conditions


def spec(board: Board, j: int) -> Spec | None:
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
        titles = [_title(card.metrics[m]) for m in plain]
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


def _title(metric: Metric) -> alt.TitleParams:
    """A metric's title on lines as narrow as its panel."""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    lines = textwrap.wrap(one_line(metric.title), 28) or [metric.id]
    return alt.TitleParams(lines, subtitle=better if metric.unit == "1" else f"{metric.unit}, {better}")
