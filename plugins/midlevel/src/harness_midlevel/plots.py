"""Plots of a fit: numbers of its rounds, and places of points by group."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import altair as alt
import numpy as np

from harness.embeddings.scatter import colours
from harness.leaderboard import charts
from harness.leaderboard.charts import GRID, INK, METHOD, SOFT, Datasets, Record
from harness.system.text import one_line

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = tuple[NDArray[Any], NDArray[Any]]
    """Places (N, 2), and integer groups (N,), negative for those of no group."""

SIZE = (170, 130)
"""Width and height of a panel of rounds, in pixels."""
SIDE, TITLE = 300, 44
"""Side of a scatter plot in pixels, and characters in a line of its title."""
NOWHERE = "#b4bac3"
"""Colour of points in no group."""
TICKS, FEW = 4, 16
"""Ticks of an axis, and rounds whose points have room for an edge in white."""
SPACE = 24
"""Pixels between panels."""


class _Panel(NamedTuple):
    key: str
    title: str
    subtitle: str
    form: str = ""
    """Format of numbers on the axis; empty for as many digits as they need."""


_PANELS = (
    _Panel("clusters", "Clusters", "that are left"),
    _Panel("fired", "Samples that fire", "share of the subset", "%"),
    _Panel("change", "New members", "share since the last visit", "%"),
    _Panel("ari", "Adjusted Rand index", "to the last visit"),
    _Panel("effective_rank", "Effective rank", "of the codes"),
)


def rounds_plot(rounds: Sequence[Mapping[str, Any]]) -> bytes:
    """Draw numbers of rounds as a PNG, a panel for each over the rounds.

    Panels are clusters that are left, share of samples that fire, share of members that are new, adjusted Rand index
    to the last visit of the subset, and effective rank of the codes. One that no round has a number for is left out.

    Args:
        rounds: the log of `harness_midlevel.rounds.discover`; None and what is not finite are gaps.

    Raises:
        ValueError: when no round has any of the numbers.
    """
    datasets: Datasets = {}
    span = [float(one["round"]) for one in rounds]
    panels = [
        _curve(panel, values, span, datasets)
        for panel in _PANELS
        if (values := [_known(one.get(panel.key)) for one in rounds]) and any(v is not None for v in values)
    ]
    if not panels:
        msg = f"expected rounds with numbers to draw, got {len(rounds)} without any"
        raise ValueError(msg)
    title = charts.heading("Rounds", "Each learns from one subset, and clusters what fires in the next.")
    return charts.png(charts.figure(charts.beside(panels, SPACE), title, datasets))


def scatter_panels(
    panels: Sequence[tuple[str, NDArray[Any], NDArray[Any]]], *, stars: Sequence[Points | None] | None = None
) -> bytes:
    """Draw places in the plane as a PNG, panels side by side, coloured by group.

    A group has the same colour in all panels. Axes have no numbers, and one scale for both directions.

    Args:
        panels: title, places (N, 2) and groups (N,) of each; a point of a negative group is in none, and grey.
        stars: of each panel, places (S, 2) and groups (S,) of what is drawn as stars, such as centres; None for none.

    Raises:
        ValueError: when there is no panel, one has no points, shapes do not fit or a place is not finite.
    """
    marks = [None] * len(panels) if stars is None else stars
    if not panels or len(marks) != len(panels):
        msg = f"expected panels and as many stars, got {len(panels)} and {len(marks)}"
        raise ValueError(msg)
    for title, places, groups in panels:
        _check(title, places, groups)
    for (title, _, _), some in zip(panels, marks, strict=True):
        if some is not None:
            _check(f"stars of {title}", *some)
    known = np.unique(np.concatenate([groups for _, _, groups in panels] + [some[1] for some in marks if some]))
    known = known[known >= 0]
    palette = {
        int(group): "#{:02x}{:02x}{:02x}".format(*colour)
        for group, colour in zip(known, colours(len(known)), strict=True)
    }
    datasets: Datasets = {}
    drawn = [
        _scatter(title, (places, groups), some, palette, datasets)
        for (title, places, groups), some in zip(panels, marks, strict=True)
    ]
    figure = charts.figure(charts.beside(drawn, SPACE), alt.TitleParams(""), datasets)
    del figure["title"]  # each panel has its own
    return charts.png(figure)


def _known(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _curve(
    panel: _Panel, values: Sequence[float | None], rounds: Sequence[float], datasets: Datasets
) -> alt.LayerChart:
    """Draw one number over the rounds, its axis from 0."""
    records: list[Record] = [{"round": x, "value": y} for x, y in zip(rounds, values, strict=True)]
    there = [value for value in values if value is not None]
    low, high = min(0.0, *there), max(0.0, *there)
    plain: dict[str, Any] = {
        "domain": False,
        "ticks": False,
        "labelFontSize": 11,
        "labelColor": SOFT,
        "titleColor": SOFT,
    }
    x = alt.X(
        "round:Q",
        scale=alt.Scale(domain=[min(rounds) - 0.5, max(rounds) + 0.5], nice=False, zero=False),
        axis=alt.Axis(
            title="round",
            # Among few rounds Vega would put ticks at halves, too.
            values=list(rounds) if len(rounds) <= TICKS else alt.Undefined,
            tickCount=TICKS,
            format="d",
            grid=False,
            titleFontWeight="normal",
            **plain,
        ),
    )
    y = alt.Y(
        "value:Q",
        # The topmost tick stands at the top of each panel, and so titles stand at one height.
        scale=alt.Scale(domain=[low, high if high > low else 1.0], nice=TICKS),
        axis=alt.Axis(title=None, format=panel.form or alt.Undefined, tickCount=TICKS, **plain),
    )
    base = charts.chart_of(records, datasets).encode(x=x, y=y)
    dots: dict[str, Any] = {"size": 36, "stroke": "white", "strokeWidth": 1} if len(rounds) <= FEW else {"size": 12}
    layers = [
        base.mark_line(color=METHOD, strokeWidth=2, invalid="break-paths-show-path-domains"),
        base.transform_filter("isValid(datum.value)").mark_point(filled=True, color=METHOD, opacity=1, **dots),
    ]
    title = alt.TitleParams(panel.title, subtitle=panel.subtitle)
    drawn: alt.LayerChart = alt.layer(*layers).properties(width=SIZE[0], height=SIZE[1], title=title)
    return drawn


def _check(title: str, places: NDArray[Any], groups: NDArray[Any]) -> None:
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or groups.shape != (len(places),):
        msg = f"{title}: expected places (N, 2) and groups (N,), got {places.shape} and {groups.shape}"
        raise ValueError(msg)
    if not np.isfinite(places).all():
        msg = f"{title}: expected finite places, got NaN or infinite ones"
        raise ValueError(msg)


def _scatter(
    title: str, points: Points, stars: Points | None, palette: Mapping[int, str], datasets: Datasets
) -> alt.LayerChart:
    """Draw one square of points, and stars over them."""
    places = points[0] if stars is None else np.concatenate([points[0], stars[0]])
    low, high = places.min(0).astype(float), places.max(0).astype(float)
    half = 0.54 * float((high - low).max()) or 1.0  # a margin, so that no point is cut
    across, up = (
        alt.Scale(domain=[at - half, at + half], nice=False, zero=False) for at in ((low + high) / 2).tolist()
    )
    x, y = alt.X("x:Q", axis=None, scale=across), alt.Y("y:Q", axis=None, scale=up)
    color = alt.Color("color:N", scale=None)
    layers = [
        charts.chart_of(_records(points, palette), datasets)
        .mark_point(filled=True, size=26, opacity=0.85)
        .encode(x=x, y=y, color=color)
    ]
    if stars is not None:
        layers.append(
            charts.chart_of(_records(stars, palette), datasets)
            .mark_point(shape=_star(), filled=True, size=110, opacity=1, stroke=INK, strokeWidth=1.2)
            .encode(x=x, y=y, color=color)
        )
    heading = alt.TitleParams(textwrap.wrap(one_line(title), TITLE) or [""])
    frame = alt.ViewBackground(stroke=GRID)
    drawn: alt.LayerChart = alt.layer(*layers).properties(width=SIDE, height=SIDE, title=heading, view=frame)
    return drawn


def _records(points: Points, palette: Mapping[int, str]) -> list[Record]:
    return [
        {"x": float(x), "y": float(y), "color": palette.get(int(group), NOWHERE)}
        for (x, y), group in zip(*points, strict=True)
    ]


def _star() -> str:
    """Path of a star with five points, within the unit square about 0."""
    corners = [
        (radius * math.sin(turn), -radius * math.cos(turn))
        for turn, radius in ((math.pi * k / 5, 1.0 if k % 2 == 0 else 0.45) for k in range(10))
    ]
    return "M" + "L".join(f"{x:.3f},{y:.3f}" for x, y in corners) + "Z"
