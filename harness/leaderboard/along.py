"""Scores along pretraining: rows after shares of one fit, and their curves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import altair as alt

from harness.leaderboard import curves, text
from harness.leaderboard.board import Board
from harness.leaderboard.charts import CHANCE, Datasets
from harness.leaderboard.curves import Axis, DrawnCurve, DrawnPoint
from harness.leaderboard.table import Column, Row
from harness.leaderboard.text import drawn
from harness.methods.cards import RANDOM_INIT
from harness.store.choices import at_share

PLOT = "plot-along.png"
"""File name of the plot."""
EXPLAINED = (
    "Encoders of one fit as they were after shares of its steps, which are not ranked. They are not those of shorter "
    "fits: the learning rate was in the middle of its schedule. 0 % is random_init, the network that these fits begin "
    "with, where the suite has it."
)


@dataclass(frozen=True, slots=True)
class CoursePoint:
    """A row after a share of a fit."""

    share: int
    """In per cent: 0 before the fit, 100 after it."""
    row: Row


@dataclass(frozen=True, slots=True)
class Course:
    """A row with those after shares of the same fit, in order."""

    row: Row
    points: tuple[CoursePoint, ...]

    @property
    def label(self) -> str:
        """Label of the row after the whole fit."""
        return self.row.label


def courses(board: Board) -> tuple[Course, ...]:
    """Courses of all rows that have shares, in the board's order."""
    found = []
    for row in board.rows:
        own = [CoursePoint(one.share, one) for one in board.at_shares if one.share and _whole(one) == _whole(row)]
        if own:
            points = [*_start(row, board.rows), *own, CoursePoint(100, row)]
            found.append(Course(row, tuple(sorted(points, key=lambda point: point.share))))
    return tuple(found)


def _whole(row: Row) -> tuple[object, ...]:
    """Setting of the whole fit of a row."""
    identity = row.identity
    whole = at_share(identity.method, None)
    return whole, identity.backbone, identity.pretraining, identity.frames, identity.precision


def _start(row: Row, rows: Sequence[Row]) -> list[CoursePoint]:
    """Row of the random network that the fit starts from, as a point at 0 %."""
    if row.starts:
        return []
    alike = (
        one
        for one in rows
        if one.identity.method.name == RANDOM_INIT.name
        and (one.identity.backbone, one.identity.precision) == (row.identity.backbone, row.identity.precision)
    )
    return [CoursePoint(0, one) for one in alike][:1]


def panel(own: Sequence[Course], column: Column, width: int, datasets: Datasets) -> alt.LayerChart:
    """Draw the primary metric of a column, a curve for each course.

    Args:
        own: the courses, of which one has a measured point.
        column: where the scores are.
        width: in pixels.
        datasets: where the panel's data goes.
    """
    shares = sorted({point.share for course in own for point in course.points})
    axis = Axis("% of pretraining", [share / 100 for share in shares], list(map(str, shares)))
    rows = [course.row for course in own]
    placed = zip(own, curves.colors(rows), curves.shifts(axis.places, len(own), width), strict=True)
    lines = [_curve(course, column, color, shift) for course, color, shift in placed]
    levels = [level for course in own for point in course.points if (level := _chance(point.row, column)) is not None]
    level = round(text.scaled(sum(levels) / len(levels), column.metric), 4) if levels else None
    chance = tuple(DrawnPoint(place, level) for place in axis.places)
    unit = "" if column.metric.unit == "1" else column.metric.unit
    better = "higher is better" if column.metric.higher_is_better else "lower is better"
    told = [drawn(column.metric.title), unit, better]
    title = alt.TitleParams(drawn(column.heading), subtitle=", ".join(part for part in told if part))
    dotted = DrawnCurve("chance", CHANCE, "method", done=True, points=chance)
    return curves.draw(lines, dotted, axis, title, width, datasets)


def _curve(course: Course, column: Column, color: str, shift: float) -> DrawnCurve:
    done = all(point.row.cell(column).status == "done" for point in course.points)
    points = tuple(
        curves.drawn_point(round(point.share / 100 + shift, 6), point.row.cell(column).primary)
        for point in course.points
    )
    return DrawnCurve(drawn(course.label), color, course.row.kind, done, points)


def _chance(row: Row, column: Column) -> float | None:
    return row.cell(column).primary.chance


def plotted(board: Board) -> tuple[Column, ...]:
    """Columns that rank in which a course has a score; none where there is no plot."""
    rows = [point.row for course in courses(board) for point in course.points]
    return tuple(column for column in board.ranking if any(row.cell(column).interval for row in rows))
