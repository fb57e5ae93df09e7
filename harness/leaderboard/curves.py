"""A panel of curves: the metrics of a card that have a `point`, a line for each row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import altair as alt
import numpy as np
from scipy import optimize

from harness.cards import EvaluatorCard, Metric
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.dots import CHANCE, KINDS, REFERENCE, SOFT, Datasets, Record, chart_of, rows
from harness.leaderboard.text import one_line

COLORS = ("#0072b2", "#007a5a", "#a8327d", "#5b4bb7", "#7a6a00", "#1c2530", "#3f94c4", "#b5586f", "#7b3f00", "#0f7f8c")
"""Of the methods, dark enough for text on white, and told apart by their labels where colour vision cannot."""

CAPTION = "Lines: means with 95 % intervals; dotted: chance."
WIDTH, HEIGHT = 300, 230
"""Of a panel, in pixels; higher where labels need it."""
LABEL = 14
"""Pixels from one label to the next, at least."""
SMALL_WORDS = frozenset({"@", "a", "at", "for", "from", "in", "of", "on", "per", "the", "with", "within"})


@dataclass(frozen=True, slots=True)
class Curve:
    """Metrics that lie on one curve, by where they lie."""

    name: str
    axis: str
    metrics: tuple[tuple[int, Metric, float], ...]
    """(place in the card, metric, at)."""


@dataclass(frozen=True, slots=True)
class _Line:
    """A row's part of the panel."""

    label: str
    color: str
    kind: str
    done: bool
    points: list[tuple[float, float | None, float | None, float | None]]
    """(x, mean, low, high); the mean None where the row has no score."""


def curves(card: EvaluatorCard) -> list[Curve]:
    """The curves that the metrics of `card` make, in the card's order; one point alone makes none."""
    found: dict[tuple[str, str, str, bool], list[tuple[int, Metric, float]]] = {}
    for m, metric in enumerate(card.metrics):
        if metric.point is not None:
            key = (metric.point.curve, metric.point.axis, metric.unit, metric.higher_is_better)
            found.setdefault(key, []).append((m, metric, math.inf if metric.point.at is None else metric.point.at))
    return [
        Curve(name, axis, tuple(sorted(metrics, key=lambda item: item[2])))
        for (name, axis, *_), metrics in found.items()
        if len(metrics) > 1
    ]


def positions(ats: Sequence[float]) -> list[float]:
    """Where on an axis from 0 to 1 the sorted `ats` stand: by their logarithms when they span more than a decade.

    Infinity, which means all there are, stands one step behind the last.

    >>> positions([1, 10, 100]), positions([0.1, 0.2, 0.3]), positions([1, 10, 100, math.inf])[2:]
    ([0.0, 0.5, 1.0], [0.0, 0.5, 1.0], [0.666666666667, 1.0])
    """
    finite = [at for at in ats if math.isfinite(at)]
    if finite and finite[0] > 0 and finite[-1] > 10 * finite[0]:
        finite = [math.log10(at) for at in finite]
    step = (finite[-1] - finite[0]) / (len(finite) - 1) if len(finite) > 1 else 1.0
    placed = finite + [(finite[-1] if finite else 0.0) + step] * (len(ats) - len(finite))
    length = placed[-1] - placed[0] or 1.0
    return [round((place - placed[0]) / length, 12) for place in placed]


def spread_labels(wanted: Sequence[float], length: float) -> list[float]:
    """Places for labels as near as can be to the sorted `wanted`, `LABEL` apart and between 0 and `length`.

    >>> spread_labels([50.0, 50.0], 100), spread_labels([0.0, 100.0], 100)
    ([43.0, 57.0], [0.0, 100.0])
    """
    steps = LABEL * np.arange(len(wanted))
    free = max(0.0, length - LABEL * (len(wanted) - 1))
    # Least squares under an order is isotonic regression, and clipping it keeps it optimal within bounds.
    places = np.clip(optimize.isotonic_regression(np.asarray(wanted) - steps).x, 0.0, free) + steps
    return [float(place) for place in places]


def panel(board: Board, j: int, curve: Curve, width: int, datasets: Datasets) -> alt.LayerChart | None:
    """The panel of `curve` in column `j`; None where no row has a score of it."""
    found = tuple(item for item in curve.metrics if any(row.cells[j].measure(item[0]).interval for row in board.rows))
    if not found:
        return None
    curve = replace(curve, metrics=found)
    lines = [line for line in _lines(board, j, curve, width) if _measured_in(line)]
    chance = _chance(board, j, curve)
    named = [*lines, chance] if _measured_in(chance) else lines
    low, high = _domain(named)
    height = max(HEIGHT, LABEL * len(named))
    x = _x(curve, named)
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(title=None, tickCount=5, domain=False, ticks=False, labelFontSize=11, labelColor=SOFT),
    )
    color = alt.Color("color:N", scale=None)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=list(KINDS), range=[[1, 0], [6, 3]]), legend=None)
    opacity = alt.condition("datum.done == 'True'", alt.value(1), alt.value(0.35))
    base = chart_of(_records(lines), datasets)
    names = chart_of(_names(named, low, high, width, height), datasets)
    layers = [
        base.transform_filter("isValid(datum.low)")
        .mark_rule(strokeWidth=1.4, opacity=0.5)
        .encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_line(strokeWidth=2, invalid="break-paths-show-path-domains").encode(
            x=x, y=y, color=color, strokeDash=dash, detail="row:N", opacity=opacity
        ),
        base.transform_filter("isValid(datum.y)")
        .mark_point(filled=True, size=42, stroke="white", strokeWidth=1)
        .encode(x=x, y=y, color=color, opacity=opacity),
        names.mark_rule(strokeWidth=0.8, opacity=0.5).encode(x=x, x2="to:Q", y=y, y2="label_y:Q", color=color),
        names.mark_text(align="left", baseline="middle", dx=3, fontSize=11.5, limit=190).encode(
            x=alt.X("to:Q"), y=alt.Y("label_y:Q"), text="row:N", color=color
        ),
    ]
    if chance in named:
        dotted = chart_of(_records([chance]), datasets)
        layers.insert(0, dotted.mark_line(color=CHANCE, strokeWidth=1.4, strokeDash=[2, 3]).encode(x=x, y=y))
    drawn: alt.LayerChart = alt.layer(*layers).properties(width=width, height=height, title=_title(curve))
    return drawn


def _measured_in(line: _Line) -> bool:
    return any(mean is not None for _, mean, *_ in line.points)


def _lines(board: Board, j: int, curve: Curve, width: int) -> list[_Line]:
    lines, methods = [], 0
    everybody = rows(board)
    places = positions([at for *_, at in curve.metrics])
    gap = min((b - a for a, b in pairwise(places)), default=1.0)
    # Beside each other, so that intervals do not hide intervals; a point never leaves its own third of the gap.
    step = min(4 / width, gap / (3 * len(everybody)))
    for k, (label, row) in enumerate(everybody):
        color = REFERENCE if row.supervised else COLORS[methods % len(COLORS)]
        methods += not row.supervised
        shift = (k - (len(everybody) - 1) / 2) * step
        points = []
        for place, (m, metric, _) in zip(places, curve.metrics, strict=True):
            found = row.cells[j].measure(m).interval
            values = (found.mean, found.low, found.high) if found else (None, None, None)
            mean, low, high = (None if v is None else round(text.scaled(v, metric), 4) for v in values)
            points.append((round(place + shift, 6), mean, low, high))
        lines.append(_Line(label, color, KINDS[row.supervised], row.cells[j].status == "done", points))
    return lines


def _chance(board: Board, j: int, curve: Curve) -> _Line:
    """The mean baseline of the rows at each point."""
    points: list[tuple[float, float | None, float | None, float | None]] = []
    for place, (m, metric, _) in zip(positions([at for *_, at in curve.metrics]), curve.metrics, strict=True):
        found = [value for row in board.rows if (value := row.cells[j].measure(m).baseline) is not None]
        mean = round(text.scaled(sum(found) / len(found), metric), 4) if found else None
        points.append((place, mean, None, None))
    return _Line("chance", CHANCE, KINDS[0], done=True, points=points)


def _domain(lines: Sequence[_Line]) -> tuple[float, float]:
    """Everything drawn, with some air."""
    values = [value for line in lines for _, *found in line.points for value in found if value is not None]
    low, high = min(values), max(values)
    air = 0.04 * (high - low) or 0.5
    return low - air, high + air


def _records(lines: Sequence[_Line]) -> list[Record]:
    return [
        {"row": line.label, "color": line.color, "kind": line.kind, "done": str(line.done)}
        | {"x": x, "y": mean, "low": low, "high": high}
        for line in lines
        for x, mean, low, high in line.points
    ]


def _names(lines: Sequence[_Line], low: float, high: float, width: float, height: float) -> list[Record]:
    """A label for each line, at the height of its last point where others leave room."""
    last = [(next((x, y) for x, y, *_ in reversed(line.points) if y is not None), line) for line in lines]
    last.sort(key=lambda item: -item[0][1])
    scale = height / (high - low)
    places = spread_labels([(high - y) * scale for (_, y), _ in last], height)
    end = max(x for line in lines for x, *_ in line.points)
    return [
        {
            "row": line.label,
            "color": line.color,
            "x": x,
            "y": y,
            "to": end + 18 / width,
            "label_y": high - place / scale,
        }
        for ((x, y), line), place in zip(last, places, strict=True)
    ]


def _x(curve: Curve, lines: Sequence[_Line]) -> alt.X:
    ats = [at for *_, at in curve.metrics]
    places = positions(ats)
    drawn = [x for line in lines for x, *_ in line.points]
    # Only numbers of ours: an expression, and expressions run.
    names = ["all" if math.isinf(at) else f"{at:g}" for at in ats]
    expression = "".join(
        f"datum.value < {(a + b) / 2:.6f} ? '{name}' : " for (a, b), name in zip(pairwise(places), names, strict=False)
    )
    axis = alt.Axis(
        title=one_line(curve.axis),
        values=places,
        labelExpr=f"{expression}'{names[-1]}'",
        labelOverlap="greedy",
        titleFontWeight="normal",
        titleFontSize=11,
        titleColor=SOFT,
        domain=False,
        ticks=False,
        labelPadding=6,
    )
    return alt.X(
        "x:Q", axis=axis, scale=alt.Scale(domain=[min(drawn) - 0.03, max(drawn) + 0.03], nice=False, zero=False)
    )


def _shared(curve: Curve) -> str:
    """The words that the metrics' titles begin with: `Top-1 accuracy` of `Top-1 accuracy with 5 videos a class`."""
    titles = [one_line(metric.title).split() for _, metric, _ in curve.metrics]
    words = [first[0] for first in _common(titles)]
    while words and words[-1].strip(",;:").lower() in SMALL_WORDS:
        words.pop()
    return " ".join(words).strip(",;: ")


def _common(titles: Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    found = []
    for words in zip(*titles, strict=False):
        if len(set(words)) > 1:
            break
        found.append(words)
    return found


def _title(curve: Curve) -> alt.TitleParams:
    """What is measured; the curve's name in front where the metrics' titles do not have it."""
    metric, shared, name = curve.metrics[0][1], _shared(curve), one_line(curve.name)
    told = name.lower() in shared.lower()
    unit = metric.unit if metric.unit != "1" else ""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    subtitle = ", ".join(part for part in ("" if told else shared, unit, better) if part)
    return alt.TitleParams(shared if told else name, subtitle=subtitle)
