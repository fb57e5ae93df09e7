"""Plots of a board: all rows in each column, and all metrics of one column."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import altair as alt

from harness.cards import Metric
from harness.leaderboard import along, charts, curves, text
from harness.leaderboard.board import Board
from harness.leaderboard.charts import LINE, Datasets, Record, Spec, wrapped
from harness.leaderboard.table import Column, Row
from harness.leaderboard.text import drawn

PANELS = 4
"""Greatest number of dot panels in a line."""
WIDTH = 190
"""Width of a dot panel in pixels; of one or two, twice as much."""
LABEL = 44
"""Characters in a line of a row's label; longer ones take several lines."""
POSITIONS = ("mean", "low", "high", "value", "chance")
"""Fields of a record that lie on the axis."""


@dataclass(frozen=True, slots=True)
class DotPanel:
    """One metric of a column: a dot and an interval for each row."""

    column: Column
    metric: Metric
    title: alt.TitleParams


def board_plot(board: Board) -> Spec:
    """Plot every row in each column that ranks; a specification with its data."""
    datasets: Datasets = {}
    panels = [DotPanel(column, column.metric, _column_title(board, column)) for column in board.ranking]
    lines = _grid(panels, board.plotted_rows, datasets)
    title = charts.heading(board.title, _caption(panels), _legend(board, board.ranking), _left_out(board))
    return charts.figure(lines, title, datasets)


def column_plot(board: Board, column: Column) -> Spec:
    """Plot every metric of a column that has a `plot_file`; with its data."""
    datasets: Datasets = {}
    rows = board.plotted_rows
    parts: list[Spec] = []
    captions: list[str] = []
    measured = column.measured
    curved = [curve.within(measured) for curve in curves.curves_of(column.card)]
    if drawn := [curve for curve in curved if curve.points]:
        width = curves.WIDTH if len(curved) > 1 else 3 * curves.WIDTH // 2
        panels = [curves.panel(curve, column, rows, width, datasets) for curve in drawn]
        lines = [charts.beside(panels[start : start + 2], 30) for start in range(0, len(panels), 2)]
        parts.append(charts.below(lines, 26))
        captions.append(curves.CAPTION)
    on_curves = {point.metric.id for curve in drawn for point in curve.points}
    if plain := [metric for metric in measured if metric.id not in on_curves]:
        dots = [DotPanel(column, metric, _metric_title(metric)) for metric in plain]
        parts.append(_grid(dots, rows, datasets))
        captions.append(_caption(dots))
    if len({tuple(cell.conditions.items()) for cell in column.cells if cell.interval}) > 1:
        captions.append("Not all rows were measured under the same conditions; the table names them.")
    captions += [_legend(board, [column], curved=bool(drawn)), _left_out(board)]
    return charts.figure(charts.below(parts, 34), charts.heading(column.heading, *captions), datasets)


def along_plot(board: Board) -> Spec:
    """Plot the columns of `along.plotted` along pretraining; with its data."""
    datasets: Datasets = {}
    courses, columns = along.courses(board), along.plotted(board)
    width = curves.WIDTH if len(columns) > 1 else 3 * curves.WIDTH // 2
    panels = [along.panel(courses, column, width, datasets) for column in columns]
    lines = [charts.beside(panels[start : start + 2], 30) for start in range(0, len(panels), 2)]
    title = charts.heading(f"{board.title}: along pretraining", curves.CAPTION, _legend(board, columns, curved=True))
    return charts.figure(charts.below(lines, 26), title, datasets)


def _column_title(board: Board, column: Column) -> alt.TitleParams:
    subtitle = [] if board.shared_data else [drawn(column.data.label)]
    return alt.TitleParams(drawn(column.evaluator.label), subtitle=[*subtitle, text.metric_heading(column.metric)])


def _metric_title(metric: Metric) -> alt.TitleParams:
    """Title of a metric, on lines as narrow as its panel."""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    lines = textwrap.wrap(drawn(metric.title), 28) or [metric.id]
    return alt.TitleParams(lines, subtitle=better if metric.unit == "1" else f"{metric.unit}, {better}")


def _legend(board: Board, columns: Iterable[Column], *, curved: bool = False) -> str:
    """Explain the colours that occur in these columns."""
    meanings = []
    if any(row.supervised for row in board.rows):
        meanings.append(f"orange{' and dashed' if curved else ''}: references, which read labels")
    if any(row.labelled for row in board.rows):
        meanings.append(f"green{' or dotted' if curved else ''}: weights that learnt from labels")
    if any(cell.interval and cell.status != "done" for column in columns for cell in column.cells):
        meanings.append("pale: stale or incomplete")
    return f"{'; '.join(meanings)}.".capitalize() if meanings else ""


def _left_out(board: Board) -> str:
    """Say how many rows the plot leaves out; empty where it has all."""
    shown, rows = len(board.plotted_rows), len(board.rows)
    return "" if shown == rows else f"The first {shown:,} of {rows:,} rows, references included; the table has all."


def _caption(panels: Sequence[DotPanel]) -> str:
    chance = "; dashed: chance" if any(panel.column.chance(panel.metric) for panel in panels) else ""
    return f"Dots: means with 95 % intervals; small dots: seeds{chance}."


def panels_per_line(count: int) -> int:
    """Number of panels in a line, so that none is left alone.

    >>> [panels_per_line(count) for count in (1, 4, 5, 6, 9)]
    [1, 4, 3, 4, 3]
    """
    return PANELS - 1 if count > PANELS and count % PANELS == 1 else min(count, PANELS)


def _grid(panels: Sequence[DotPanel], rows: Sequence[tuple[str, Row]], datasets: Datasets) -> Spec:
    """Draw panels beside and below each other."""
    width = WIDTH if len(panels) > 2 else 2 * WIDTH
    per_line = panels_per_line(len(panels))
    lines = []
    for start in range(0, len(panels), per_line):
        line = [
            _dots(panel, rows, datasets, labelled=panel is panels[start], width=width)
            for panel in panels[start : start + per_line]
        ]
        lines.append(charts.beside(line, 22))
    return charts.below(lines, 26)


def _records(panel: DotPanel, rows: Sequence[tuple[str, Row]]) -> list[Record]:
    """Chance, mean with interval, and seeds of each row."""
    metric, limits = panel.metric, panel.column.chance(panel.metric)

    def position(value: float | None) -> float | None:
        return None if value is None else round(text.scaled(value, metric), 4)

    records: list[Record] = []
    for label, row in rows:
        cell = row.cell(panel.column)
        summary = cell.summary(metric)
        chance = limits[0] if summary.chance is None and limits else summary.chance
        common: Record = {"row": label, "kind": row.kind, "done": str(cell.status == "done")}
        records.append({**common, "chance": position(chance)})
        if (interval := summary.interval) is not None:
            span = text.span(interval, metric)
            shown = text.number(interval.mean, metric) + (f" [{span}]" if span else "")
            limits_of_row = {"low": position(interval.low), "high": position(interval.high)}
            records.append({**common, "mean": position(interval.mean), **limits_of_row, "shown": shown})
        records += [{**common, "value": position(value), "seed": str(seed)} for seed, value in summary.values]
    return records


def _dots(
    panel: DotPanel, rows: Sequence[tuple[str, Row]], datasets: Datasets, *, labelled: bool, width: int
) -> alt.LayerChart:
    rows = list(zip(wrapped([label for label, _ in rows], LABEL), [row for _, row in rows], strict=True))
    records, order = _records(panel, rows), [label for label, _ in rows]
    lines = 1 + max((label.count("\n") for label in order), default=0)
    axis = alt.Axis(title=None, labels=labelled, ticks=False, domain=False, grid=True, labelLimit=260, labelPadding=10)
    if lines > 1:
        axis.labelExpr, axis.labelLimit, axis.labelOffset = "split(datum.label, '\\n')", 340, -LINE * (lines - 1) / 2
    y = alt.Y("row:N", sort=order, scale=alt.Scale(domain=order), axis=axis)
    x_axis = alt.Axis(title=None, tickCount=4, domain=False, ticks=False, labelOverlap="greedy", labelSeparation=6)
    drawn = [value for record in records for name in POSITIONS if isinstance(value := record.get(name), float)]
    same = bool(drawn) and min(drawn) == max(drawn)
    # Ticks about a single value would be rounded onto it, and say what it is not.
    around = [drawn[0] - 0.1 * abs(drawn[0] or 1), drawn[0] + 0.1 * abs(drawn[0] or 1)] if same else alt.Undefined
    scale = alt.Scale(domain=around, zero=False, nice=True, padding=8)
    color = alt.Color(
        "kind:N", scale=alt.Scale(domain=list(charts.KINDS), range=list(charts.KINDS.values())), legend=None
    )
    opacity = alt.condition("datum.done == 'True'", alt.value(1), alt.value(0.35))
    base = charts.chart_of(records, datasets)
    means = base.transform_filter("isValid(datum.mean)")
    tooltip = [alt.Tooltip("row:N", title="row"), alt.Tooltip("shown:N", title=text.metric_heading(panel.metric))]
    seeds = [alt.Tooltip("row:N"), alt.Tooltip("seed:N"), alt.Tooltip("value:Q")]
    layers: list[alt.Chart] = [
        means.mark_rule(strokeWidth=2.6, strokeCap="round").encode(
            y=y, x=alt.X("low:Q", axis=x_axis, scale=scale), x2="high:Q", color=color, opacity=opacity, tooltip=tooltip
        ),
        means.mark_point(filled=True, size=64, stroke="white", strokeWidth=1).encode(
            y=y, x="mean:Q", color=color, opacity=opacity, tooltip=tooltip
        ),
        base.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, size=14, opacity=0.55, yOffset=8)
        .encode(y=y, x="value:Q", color=color, tooltip=seeds),
    ]
    if any(record.get("chance") is not None for record in records):
        ends = {"y": alt.Y("row:N", sort=order, bandPosition=0), "y2": alt.Y2("row", bandPosition=1)}
        dashed = base.transform_filter("isValid(datum.chance)").mark_rule(
            color=charts.CHANCE, strokeDash=[3, 3], strokeWidth=1.4
        )
        layers.insert(0, dashed.encode(**ends, x=alt.X("chance:Q")))
    chart: alt.LayerChart = alt.layer(*layers).properties(
        width=width, height=alt.Step(max(26, LINE * lines + 10)), title=panel.title
    )
    return chart
