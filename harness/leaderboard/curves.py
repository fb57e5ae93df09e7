"""Panels of curves: the metrics that have a `point`, a curve for each row."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, takewhile

import altair as alt
import numpy as np
from scipy import optimize

from harness.cards import EvaluatorCard, Metric
from harness.leaderboard import text
from harness.leaderboard.charts import CHANCE, KINDS, LINE, REFERENCE, SOFT, Datasets, Record, chart_of, wrapped
from harness.leaderboard.table import Column, MetricSummary, Row
from harness.leaderboard.text import drawn

COLORS = ("#0072b2", "#007a5a", "#a8327d", "#5b4bb7", "#7a6a00", "#1c2530", "#3f94c4", "#b5586f", "#7b3f00", "#0f7f8c")
"""Colours of methods, dark enough for text; labels help colour vision."""

CAPTION = "Lines: means with 95 % intervals; dotted: chance."
WIDTH, HEIGHT = 300, 230
"""Size of a panel in pixels; higher where labels need it."""
LABEL = 14
"""Least distance of two labels of one line, in pixels."""
LENGTH = 40
"""Characters in a line of a label; longer ones take several lines."""
SMALL_WORDS = frozenset({"@", "a", "at", "for", "from", "in", "of", "on", "per", "the", "with", "within"})


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """A metric on a curve."""

    metric: Metric
    at: float
    """Value on the curve's axis; infinity for all there are."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Metrics that lie on one curve, in the order of its axis."""

    name: str
    axis: str
    points: tuple[CurvePoint, ...]

    @property
    def places(self) -> list[float]:
        """Places of its points from 0 to 1."""
        return positions([point.at for point in self.points])

    def within(self, metrics: Sequence[Metric]) -> Curve:
        """Keep the points of these metrics."""
        ids = {metric.id for metric in metrics}
        return replace(self, points=tuple(point for point in self.points if point.metric.id in ids))


@dataclass(frozen=True, slots=True)
class Axis:
    """Axis of a panel: places from 0 to 1 with their names."""

    title: str
    places: Sequence[float]
    names: Sequence[str]


@dataclass(frozen=True, slots=True)
class DrawnPoint:
    """A point in the panel's coordinates; None where the row has no score."""

    x: float
    mean: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class DrawnCurve:
    """A row's curve in the panel's coordinates."""

    label: str
    color: str
    kind: str
    done: bool
    points: tuple[DrawnPoint, ...]

    @property
    def last(self) -> DrawnPoint | None:
        """Its last point with a score; None where nothing was measured."""
        return next((point for point in reversed(self.points) if point.mean is not None), None)


def curves_of(card: EvaluatorCard) -> list[Curve]:
    """Group the metrics of a card into curves; one point alone makes none."""
    points: dict[tuple[str, str, str, bool], list[CurvePoint]] = {}
    for metric in card.metrics:
        if metric.point is not None:
            key = (metric.point.curve, metric.point.axis, metric.unit, metric.higher_is_better)
            at = math.inf if metric.point.at is None else metric.point.at
            points.setdefault(key, []).append(CurvePoint(metric, at))
    return [
        Curve(name, axis, tuple(sorted(members, key=lambda point: point.at)))
        for (name, axis, *_), members in points.items()
        if len(members) > 1
    ]


def positions(ats: Sequence[float]) -> list[float]:
    """Place sorted values on an axis from 0 to 1.

    By their logarithms when they span more than a decade. Infinity, which means all there are, stands one step behind
    the last.

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


def spread_labels(wanted: Sequence[float], length: float, apart: float = LABEL) -> list[float]:
    """Move labels as little as possible from `wanted`, sorted, to be `apart` apart.

    They stay between 0 and `length` where that is long enough.

    >>> spread_labels([50.0, 50.0], 100), spread_labels([0.0, 100.0], 100)
    ([43.0, 57.0], [0.0, 100.0])
    """
    steps = apart * np.arange(len(wanted))
    free = max(0.0, length - apart * (len(wanted) - 1))
    # Least squares under an order is isotonic regression, and clipping it keeps it optimal within bounds.
    places = np.clip(optimize.isotonic_regression(np.asarray(wanted) - steps).x, 0.0, free) + steps
    return [float(place) for place in places]


def panel(
    curve: Curve, column: Column, rows: Sequence[tuple[str, Row]], width: int, datasets: Datasets
) -> alt.LayerChart:
    """Draw a curve that has measured points only.

    Args:
        curve: whose metrics some row has.
        column: where the scores are.
        rows: with their labels, in order.
        width: in pixels.
        datasets: where the panel's data goes.
    """
    # Only numbers of ours: an expression, and expressions run.
    names = ["all" if math.isinf(point.at) else f"{point.at:g}" for point in curve.points]
    axis = Axis(curve.axis, curve.places, names)
    lines = _row_curves(curve, column, rows, width)
    return draw(lines, _chance_curve(curve, column), axis, _title(curve), width, datasets)


def draw(
    curves: Sequence[DrawnCurve], chance: DrawnCurve, axis: Axis, title: alt.TitleParams, width: int, datasets: Datasets
) -> alt.LayerChart:
    """Draw curves in a panel, those without a point left out.

    Args:
        curves: of rows, in order, of which one has a point.
        chance: dotted, where it has a point.
        axis: across.
        title: above the panel.
        width: in pixels.
        datasets: where the panel's data goes.
    """
    lines = [line for line in curves if line.last]
    named = [*lines, chance] if chance.last else lines
    low, high = _domain(named)
    texts = wrapped([line.label for line in named], LENGTH)
    breaks = texts[0].count("\n")
    apart = LABEL + LINE * breaks
    height = max(HEIGHT, apart * len(named))
    x = _x(axis, named)
    y = alt.Y(
        "y:Q",
        scale=alt.Scale(domain=[low, high], nice=False, zero=False),
        axis=alt.Axis(title=None, tickCount=5, domain=False, ticks=False, labelFontSize=11, labelColor=SOFT),
    )
    color = alt.Color("color:N", scale=None)
    dash = alt.StrokeDash("kind:N", scale=alt.Scale(domain=list(KINDS), range=[[1, 0], [6, 3], [2, 2]]), legend=None)
    opacity = alt.condition("datum.done == 'True'", alt.value(1), alt.value(0.35))
    base = chart_of(_records(lines), datasets)
    labelled = [replace(line, label=label) for line, label in zip(named, texts, strict=True)]
    names = chart_of(_labels(labelled, (low, high), (width, height), apart), datasets)
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
        names.mark_text(
            align="left",
            baseline="middle",
            dx=3,
            dy=-LINE * breaks / 2,
            fontSize=11.5,
            lineBreak="\n",
            lineHeight=LINE,
        ).encode(x=alt.X("to:Q"), y=alt.Y("label_y:Q"), text="row:N", color=color),
    ]
    if chance.last:
        dotted = chart_of(_records([chance]), datasets)
        layers.insert(0, dotted.mark_line(color=CHANCE, strokeWidth=1.4, strokeDash=[2, 3]).encode(x=x, y=y))
    drawn: alt.LayerChart = alt.layer(*layers).properties(width=width, height=height, title=title)
    return drawn


def _row_curves(curve: Curve, column: Column, rows: Sequence[tuple[str, Row]], width: int) -> list[DrawnCurve]:
    drawn = []
    placed = zip(rows, colors([row for _, row in rows]), shifts(curve.places, len(rows), width), strict=True)
    for (label, row), color, shift in placed:
        cell = row.cell(column)
        points = tuple(
            drawn_point(round(place + shift, 6), cell.summary(point.metric))
            for place, point in zip(curve.places, curve.points, strict=True)
        )
        drawn.append(DrawnCurve(label, color, row.kind, cell.status == "done", points))
    return drawn


def colors(rows: Sequence[Row]) -> list[str]:
    """Colour of each row's curve; references share theirs."""
    methods, chosen = 0, []
    for row in rows:
        chosen.append(REFERENCE if row.supervised else COLORS[methods % len(COLORS)])
        methods += not row.supervised
    return chosen


def shifts(places: Sequence[float], count: int, width: int) -> list[float]:
    """Shift curves beside each other, so that intervals do not hide intervals.

    Args:
        places: of the points, in order.
        count: number of curves.
        width: of the panel in pixels.
    """
    gap = min((b - a for a, b in pairwise(places)), default=1.0)
    step = min(4 / width, gap / (3 * count))  # a point never leaves its own third of the gap
    return [(k - (count - 1) / 2) * step for k in range(count)]


def drawn_point(x: float, summary: MetricSummary) -> DrawnPoint:
    """A mean with its interval, in the unit shown."""
    interval = summary.interval
    values = (interval.mean, interval.low, interval.high) if interval else (None, None, None)
    return DrawnPoint(x, *(None if v is None else round(text.scaled(v, summary.metric), 4) for v in values))


def _chance_curve(curve: Curve, column: Column) -> DrawnCurve:
    """Mean chance of the rows at each point."""
    points = []
    for place, point in zip(curve.places, curve.points, strict=True):
        levels = [level for cell in column.cells if (level := cell.summary(point.metric).chance) is not None]
        mean = round(text.scaled(sum(levels) / len(levels), point.metric), 4) if levels else None
        points.append(DrawnPoint(place, mean))
    return DrawnCurve("chance", CHANCE, "method", done=True, points=tuple(points))


def _domain(lines: Sequence[DrawnCurve]) -> tuple[float, float]:
    """Range of everything drawn, with some air."""
    points = [point for line in lines for point in line.points]
    values = [value for point in points for value in (point.mean, point.low, point.high) if value is not None]
    low, high = min(values), max(values)
    air = 0.04 * (high - low) or 0.5
    return low - air, high + air


def _records(lines: Sequence[DrawnCurve]) -> list[Record]:
    return [
        {"row": line.label, "color": line.color, "kind": line.kind, "done": str(line.done)}
        | {"x": point.x, "y": point.mean, "low": point.low, "high": point.high}
        for line in lines
        for point in line.points
    ]


def _labels(
    lines: Sequence[DrawnCurve], domain: tuple[float, float], size: tuple[float, float], apart: float
) -> list[Record]:
    """Label each curve at the height of its last point, where others leave room."""
    (low, high), (width, height) = domain, size
    ends = [(point.x, point.mean, line) for line in lines if (point := line.last) and point.mean is not None]
    ends.sort(key=lambda end: -end[1])
    scale = height / (high - low)
    places = spread_labels([(high - y) * scale for _, y, _ in ends], height, apart)
    right = max(point.x for line in lines for point in line.points)
    return [
        {
            "row": line.label,
            "color": line.color,
            "x": x,
            "y": y,
            "to": right + 18 / width,
            "label_y": high - place / scale,
        }
        for (x, y, line), place in zip(ends, places, strict=True)
    ]


def _x(across: Axis, lines: Sequence[DrawnCurve]) -> alt.X:
    positions = [point.x for line in lines for point in line.points]
    expression = "".join(
        f"datum.value < {(a + b) / 2:.6f} ? '{name}' : "
        for (a, b), name in zip(pairwise(across.places), across.names, strict=False)
    )
    axis = alt.Axis(
        title=drawn(across.title),
        values=list(across.places),
        labelExpr=f"{expression}'{across.names[-1]}'",
        labelOverlap="greedy",
        titleFontWeight="normal",
        titleFontSize=11,
        titleColor=SOFT,
        domain=False,
        ticks=False,
        labelPadding=6,
    )
    return alt.X(
        "x:Q", axis=axis, scale=alt.Scale(domain=[min(positions) - 0.03, max(positions) + 0.03], nice=False, zero=False)
    )


def _title(curve: Curve) -> alt.TitleParams:
    """Title of the metrics; the curve's name in front where their titles lack it."""
    metric, shared, name = curve.points[0].metric, _shared_title(curve), drawn(curve.name)
    told = name.lower() in shared.lower()
    unit = metric.unit if metric.unit != "1" else ""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    subtitle = ", ".join(part for part in ("" if told else shared, unit, better) if part)
    return alt.TitleParams(shared if told else name, subtitle=subtitle)


def _shared_title(curve: Curve) -> str:
    """First words of all titles: `Top-1 accuracy` of `Top-1 accuracy with 5 videos`."""
    titles = [drawn(point.metric.title).split() for point in curve.points]
    shared = takewhile(lambda words: len(set(words)) == 1, zip(*titles, strict=False))
    words = [first for first, *_ in shared]
    while words and words[-1].strip(",;:").lower() in SMALL_WORDS:
        words.pop()
    return " ".join(words).strip(",;: ")
