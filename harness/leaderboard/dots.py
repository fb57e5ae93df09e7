"""Dot plots of rows, and the style that all plots share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import cv2
import numpy as np
import vl_convert

from harness.cards import Metric
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.table import Row
from harness.leaderboard.text import letter, one_line

ROW, REFERENCE, CHANCE = "#0072b2", "#d55e00", "#5f6b7a"
"""Blue and vermilion of Okabe and Ito's palette, told apart by all colour vision; grey."""

INK, SOFT, GRID = "#1c2530", "#4a5563", "#e6e9ee"
FONT = "Liberation Sans, Helvetica Neue, Helvetica, Arial, sans-serif"
CONFIG = alt.Config(
    font=FONT,
    background="white",
    padding=14,
    view=alt.ViewConfig(stroke=None),
    title=alt.TitleConfig(
        anchor="start", frame="group", fontSize=13, color=INK, subtitleFontSize=11, subtitleColor=SOFT, offset=8
    ),
    axis=alt.AxisConfig(labelFontSize=11, labelColor=SOFT, gridColor=GRID),
    axisY=alt.AxisConfig(labelFontSize=12, labelColor=INK),
)
KINDS = ("method", "reference")

PANELS = 4
"""At most as many beside each other, each so wide."""
WIDTH = 190

TOP = ("$schema", "config")
"""What a specification says once."""

Spec = dict[str, Any]
Record = dict[str, str | float | None]
Datasets = dict[str, list[Record]]


def rows(board: Board) -> list[tuple[str, Row]]:
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


def wide(count: int) -> int:
    """How many of `count` panels stand in a line, so that none is left alone.

    >>> [wide(count) for count in (1, 4, 5, 6, 9)]
    [1, 4, 3, 4, 3]
    """
    return PANELS - 1 if count > PANELS and count % PANELS == 1 else min(count, PANELS)


def chart_of(records: list[Record], datasets: Datasets) -> alt.Chart:
    """A chart of `records`, which it only names: Altair copies what charts hold at every step."""
    name = f"data-{len(datasets) + 1}"
    datasets[name] = records
    return alt.Chart(alt.NamedData(name=name))


def beside(panels: Sequence[alt.LayerChart], spacing: int) -> Spec:
    """Panels in a line."""
    # Altair's own concatenation, validation and `configure` copy all charts at every step: two thirds of the time.
    found = [panel.to_dict(validate=False) for panel in panels]
    return {"hconcat": [{k: v for k, v in panel.items() if k not in TOP} for panel in found], "spacing": spacing}


def below(lines: Sequence[Spec], spacing: int) -> Spec:
    """Lines of panels, each with axes of its own."""
    return {"vconcat": list(lines), "spacing": spacing, "resolve": {"scale": {"x": "independent", "y": "independent"}}}


def whole(lines: Spec, title: alt.TitleParams, datasets: Datasets) -> Spec:
    """The specification with its data, and dark text on white, whatever surrounds it."""
    top = {"$schema": alt.SCHEMA_URL, "title": title.to_dict(validate=False), "config": CONFIG.to_dict()}
    return {**top, **lines, "datasets": datasets}


def marks(board: Board, columns: Iterable[int], *, curved: bool = False) -> str:
    """What colours mean, where there is something to say of the cells of these columns."""
    found = []
    if any(row.supervised for row in board.rows):
        found.append(f"orange{' and dashed' if curved else ''}: references, which read labels")
    cells = [row.cells[j] for row in board.rows for j in columns]
    if any(cell.interval and cell.status != "done" for cell in cells):
        found.append("pale: stale or incomplete")
    return f"{'; '.join(found)}.".capitalize() if found else ""


def heading(text: str, *lines: str) -> alt.TitleParams:
    """The title of a whole plot, with lines of explanation under it."""
    return alt.TitleParams(
        one_line(text), subtitle=[line for line in lines if line], fontSize=16, subtitleFontSize=12, offset=14
    )


def png(specification: dict[str, Any]) -> bytes:
    """The plot as an image on white, two pixels a point."""
    content: bytes = vl_convert.vegalite_to_png(specification, scale=2)
    # Written again, because OpenCV's compression makes boards that live in git four times smaller.
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1].tobytes()


DRAWN = ("mean", "low", "high", "value", "chance")


def caption(board: Board, metrics: Sequence[tuple[int, int]]) -> str:
    """What the panels of `grid` show."""
    chance = "; dashed: chance" if any(board.chance(*metric) for metric in metrics) else ""
    return f"Dots: means with 95 % intervals; small dots: seeds{chance}."


def grid(
    board: Board, metrics: Sequence[tuple[int, int]], titles: Sequence[alt.TitleParams], datasets: Datasets
) -> Spec:
    """Panels beside and below each other.

    Args:
        board: whose rows.
        metrics: (column, place of the metric in its card) of each panel.
        titles: of each panel.
        datasets: where the panels' data goes.
    """
    count, lines = len(metrics), []
    per_line = wide(count)
    for start in range(0, count, per_line):
        panels = [
            _panel(
                board,
                *metrics[k],
                titles[k],
                datasets,
                labelled=k == start,
                width=WIDTH if count > 2 else 2 * WIDTH,
            )
            for k in range(start, min(start + per_line, count))
        ]
        lines.append(beside(panels, 22))
    return below(lines, 26)


def _records(board: Board, j: int, m: int) -> list[Record]:
    metric, limits = board.columns[j].card.metrics[m], board.chance(j, m)

    def number(value: float | None) -> float | None:
        return None if value is None else round(text.scaled(value, metric), 4)

    records: list[Record] = []
    for label, row in rows(board):
        cell = row.cells[j]
        measure = cell.measure(m)
        baseline = limits[0] if measure.baseline is None and limits else measure.baseline
        common: Record = {"row": label, "kind": KINDS[row.supervised], "done": str(cell.status == "done")}
        records.append({**common, "chance": number(baseline)})
        if measure.interval is not None:
            low, high = number(measure.interval.low), number(measure.interval.high)
            shown = f"{text.shown(measure.interval.mean, metric)} [{text.span(measure.interval, metric)}]"
            records.append({**common, "mean": number(measure.interval.mean), "low": low, "high": high, "shown": shown})
        measured = [(seed.seed, seed.values[m]) for seed in cell.seeds if seed.values and seed.values[m] is not None]
        records += [{**common, "value": number(value), "seed": str(seed)} for seed, value in measured]
    return records


def _panel(
    board: Board, j: int, m: int, title: alt.TitleParams, datasets: Datasets, *, labelled: bool, width: int
) -> alt.LayerChart:
    records, order = _records(board, j, m), [label for label, _ in rows(board)]
    metric: Metric = board.columns[j].card.metrics[m]
    axis = alt.Axis(title=None, labels=labelled, ticks=False, domain=False, grid=True, labelLimit=260, labelPadding=10)
    y = alt.Y("row:N", sort=order, scale=alt.Scale(domain=order), axis=axis)
    x_axis = alt.Axis(title=None, tickCount=4, domain=False, ticks=False, labelOverlap="greedy", labelSeparation=6)
    found = [value for record in records for name in DRAWN if isinstance(value := record.get(name), float)]
    same = bool(found) and min(found) == max(found)
    # Ticks about a single value would be rounded onto it, and say what it is not.
    around = [found[0] - 0.1 * abs(found[0] or 1), found[0] + 0.1 * abs(found[0] or 1)] if same else alt.Undefined
    scale = alt.Scale(domain=around, zero=False, nice=True, padding=8)
    color = alt.Color(
        "kind:N",
        scale=alt.Scale(domain=list(KINDS), range=[ROW, REFERENCE]),
        legend=None,
    )
    opacity = alt.condition("datum.done == 'True'", alt.value(1), alt.value(0.35))
    base = chart_of(records, datasets)
    whole = base.transform_filter("isValid(datum.mean)")
    tooltip = [alt.Tooltip("row:N", title="row"), alt.Tooltip("shown:N", title=text.measured(metric))]
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
