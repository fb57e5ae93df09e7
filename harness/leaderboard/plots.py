"""The plot of a board: each row's mean, interval and seeds in each column; one spec for the PNG and the page."""

from __future__ import annotations

from typing import Any

import altair as alt
import cv2
import numpy as np
import vl_convert

from harness.leaderboard import numbers
from harness.leaderboard.board import Board
from harness.leaderboard.escaping import one_line
from harness.leaderboard.markdown import letter
from harness.leaderboard.table import Column, Row

ROW, REFERENCE, CHANCE = "#0072b2", "#d55e00", "#5f6b7a"
"""Blue and vermilion of Okabe and Ito's palette, told apart by all colour vision; grey."""

INK, SOFT, GRID = "#1c2530", "#4a5563", "#e6e9ee"
FONT = "Liberation Sans, Helvetica Neue, Helvetica, Arial, sans-serif"
KINDS = ("method", "reference")

PANELS = 4
"""At most as many beside each other, each so wide."""
WIDTH = 190

Record = dict[str, str | float | None]


def spec(board: Board) -> dict[str, Any]:
    """The Vega-Lite specification, with its data."""
    order = [label for label, _ in _rows(board)]
    records = [_records(board, j) for j in range(len(board.columns))]
    count = len(board.columns)
    wide = min(count, PANELS) if count % PANELS != 1 or count < PANELS else PANELS - 1
    lines = []
    for start in range(0, count, wide):
        panels = [
            _panel(
                board.columns[j],
                _title(board, j),
                records[j],
                order,
                labelled=j == start,
                width=WIDTH if count > 2 else 2 * WIDTH,
            )
            for j in range(start, min(start + wide, count))
        ]
        lines.append(alt.hconcat(*panels, spacing=22))
    title = alt.TitleParams(
        one_line(board.title), subtitle=_caption(board), fontSize=16, subtitleFontSize=12, offset=14
    )
    chart = alt.vconcat(*lines, spacing=26, title=title).resolve_scale(x="independent", color="shared")
    return _configured(chart).to_dict()


def png(specification: dict[str, Any]) -> bytes:
    """The plot as an image on white, two pixels a point."""
    content: bytes = vl_convert.vegalite_to_png(specification, scale=2)
    # Written again, because OpenCV's compression makes boards that live in git four times smaller.
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


def _rows(board: Board) -> list[tuple[str, Row]]:
    """Rows from top to bottom with labels that are unique, as an axis needs them."""
    found: dict[str, Row] = {}
    for number, division in enumerate(board.divisions):
        for i in division.rows:
            label = one_line(board.label(board.rows[i]))
            label = f"{label}  [{letter(number)}]" if len(board.divisions) > 1 else label
            while label in found:
                label += "′"
            found[label] = board.rows[i]
    return list(found.items())


def _caption(board: Board) -> list[str]:
    lines = ["Dots: means with 95 % intervals; small dots: seeds; dashed: chance."]
    marks = ["orange: references, which read labels"] if any(row.supervised for row in board.rows) else []
    if any(cell.interval and cell.status != "done" for row in board.rows for cell in row.cells):
        marks.append("pale: stale or incomplete")
    return [*lines, f"{'; '.join(marks)}.".capitalize()] if marks else lines


def _title(board: Board, j: int) -> alt.TitleParams:
    column = board.columns[j]
    same = len({other.data.label for other in board.columns}) == 1
    subtitle = [numbers.measured(column.metric)]
    if not same:
        subtitle.insert(0, one_line(column.data.label))
    return alt.TitleParams(one_line(column.evaluator.label), subtitle=subtitle)


def _records(board: Board, j: int) -> list[Record]:
    metric, limits = board.columns[j].metric, board.chance(j)

    def number(value: float | None) -> float | None:
        return None if value is None else round(numbers.scaled(value, metric), 4)

    records: list[Record] = []
    for label, row in _rows(board):
        cell = row.cells[j]
        baseline = limits[0] if cell.baseline is None and limits else cell.baseline
        common: Record = {"row": label, "kind": KINDS[row.supervised], "done": str(cell.status == "done")}
        records.append({**common, "chance": number(baseline)})
        if cell.interval is not None:
            low, high = number(cell.interval.low), number(cell.interval.high)
            shown = f"{numbers.shown(cell.interval.mean, metric)} [{numbers.span(cell.interval, metric)}]"
            records.append({**common, "mean": number(cell.interval.mean), "low": low, "high": high, "shown": shown})
        measured = [seed for seed in cell.seeds if seed.value is not None]
        records += [{**common, "value": number(seed.value), "seed": str(seed.seed)} for seed in measured]
    return records


def _panel(
    column: Column, title: alt.TitleParams, records: list[Record], order: list[str], *, labelled: bool, width: int
) -> alt.LayerChart:
    axis = alt.Axis(title=None, labels=labelled, ticks=False, domain=False, grid=True, labelLimit=260, labelPadding=10)
    y = alt.Y("row:N", sort=order, scale=alt.Scale(domain=order), axis=axis)
    x_axis = alt.Axis(title=None, tickCount=4, domain=False, ticks=False)
    scale = alt.Scale(zero=False, nice=True, padding=8)
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=[ROW, REFERENCE]),
        legend=None,
    )
    opacity = alt.condition("datum.done == 'True'", alt.value(1), alt.value(0.35))
    base = alt.Chart(alt.InlineData(values=records))
    whole = base.transform_filter("isValid(datum.mean)")
    tooltip = [alt.Tooltip("row:N", title="row"), alt.Tooltip("shown:N", title=numbers.measured(column.metric))]
    seeds = [alt.Tooltip("row:N"), alt.Tooltip("seed:N"), alt.Tooltip("value:Q")]
    layers: list[alt.Chart] = [
        whole.mark_rule(strokeWidth=2.6, strokeCap="round").encode(
            y=y, x=alt.X("low:Q", axis=x_axis, scale=scale), x2="high:Q", color=color, opacity=opacity, tooltip=tooltip
        ),
        whole.mark_point(filled=True, size=64, stroke="white", strokeWidth=1).encode(
            y=y, x="mean:Q", color=color, opacity=opacity, tooltip=tooltip
        ),
        base.transform_filter("isValid(datum.value)")
        .mark_point(filled=True, size=14, opacity=0.55, yOffset=8)
        .encode(y=y, x="value:Q", color=color, tooltip=seeds),
    ]
    if any(record.get("chance") is not None for record in records):
        ends = {"y": alt.Y("row:N", sort=order, bandPosition=0), "y2": alt.Y2("row", bandPosition=1)}
        dashed = base.transform_filter("isValid(datum.chance)").mark_rule(
            color=CHANCE, strokeDash=[3, 3], strokeWidth=1.4
        )
        layers.insert(0, dashed.encode(**ends, x=alt.X("chance:Q")))
    panel: alt.LayerChart = alt.layer(*layers).properties(width=width, height=alt.Step(26), title=title)
    return panel


def _configured(chart: alt.VConcatChart) -> alt.VConcatChart:
    """Dark text on white, whatever surrounds it."""
    configured: alt.VConcatChart = (
        chart.configure(font=FONT, background="white", padding=14)
        .configure_view(stroke=None)
        .configure_title(
            anchor="start", frame="group", fontSize=13, color=INK, subtitleFontSize=11, subtitleColor=SOFT, offset=8
        )
        .configure_axis(labelFontSize=11, labelColor=SOFT, gridColor=GRID)
        .configure_axisY(labelFontSize=12, labelColor=INK)
    )
    return configured
