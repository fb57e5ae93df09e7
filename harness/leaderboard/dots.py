"""A panel of dots: each row's mean, interval and seeds of one metric."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from harness.cards import Metric
from harness.leaderboard import numbers
from harness.leaderboard.board import Board
from harness.leaderboard.drawing import (
    CHANCE,
    KINDS,
    REFERENCE,
    ROW,
    WIDTH,
    Datasets,
    Record,
    Spec,
    below,
    beside,
    chart_of,
    rows,
    wide,
)

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
        return None if value is None else round(numbers.scaled(value, metric), 4)

    records: list[Record] = []
    for label, row in rows(board):
        cell = row.cells[j]
        measure = cell.measure(m)
        baseline = limits[0] if measure.baseline is None and limits else measure.baseline
        common: Record = {"row": label, "kind": KINDS[row.supervised], "done": str(cell.status == "done")}
        records.append({**common, "chance": number(baseline)})
        if measure.interval is not None:
            low, high = number(measure.interval.low), number(measure.interval.high)
            shown = f"{numbers.shown(measure.interval.mean, metric)} [{numbers.span(measure.interval, metric)}]"
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
    tooltip = [alt.Tooltip("row:N", title="row"), alt.Tooltip("shown:N", title=numbers.measured(metric))]
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
