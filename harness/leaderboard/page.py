"""A board as one HTML page without network: plain tables, a script adds the rest."""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import vl_convert
from markupsafe import Markup

from harness.leaderboard import along, published, text
from harness.leaderboard.board import Board
from harness.leaderboard.cautions import cautions
from harness.leaderboard.charts import Spec
from harness.leaderboard.details import details
from harness.leaderboard.html import LATER, policy, source, templates
from harness.leaderboard.ranking import Division, Standing
from harness.leaderboard.readme import how_to_read, remedy, tables, troubled, why_apart
from harness.leaderboard.sections import evaluator_sections
from harness.leaderboard.table import BoardCell, Column
from harness.leaderboard.table_csv import table_csv

MANY = 200
"""Number of rows above which a page draws them as they are needed."""
WHISKER = 104
"""Width in pixels of the small picture within each cell."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Position of a column's values in its cells' small pictures."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """Position in pixels, 4 from either end at most."""
        return round(4 + (WHISKER - 8) * (value - self.low) / (self.high - self.low), 2)


@dataclass(frozen=True, slots=True)
class PageCell:
    """A cell as text with its small picture; blank where nothing was measured."""

    cell: BoardCell
    mean: str = ""
    span: str = ""
    covers: str = ""
    """Claim of the interval; empty where it is the board's."""
    sort: float | None = None
    leading: bool = False
    bar: tuple[float, float] | None = None
    dot: float | None = None
    seeds: tuple[float, ...] = ()
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class PageRow:
    """A row with its rank, and its cells in the columns that rank."""

    standing: Standing
    cells: tuple[PageCell, ...]


@dataclass(frozen=True, slots=True)
class RowGroup:
    """Rows that are sorted among themselves."""

    heading: str
    note: str
    rows: tuple[PageRow, ...]


def page(board: Board, specification: Spec, plot: bytes, column_specifications: Mapping[str, Spec]) -> str:
    """Write the page's HTML.

    Args:
        board: what to show.
        specification: of the board's plot, drawn by the page itself.
        plot: the same as PNG, shown where scripts are off.
        column_specifications: of the other plots by file name, drawn by the page itself.
    """
    environment = templates()
    style = source(environment, "page.css")
    script = "".join(source(environment, name) for name in ("page.js", "boxes.js"))
    if len(board.rows) > MANY:
        style, script = style + LATER, script + source(environment, "later.js") + source(environment, "many.js")
    island = {
        "rows": details(board),
        "csv": table_csv(board),
        "markdown": tables(board) + "\n",
        "plot": specification,
        "plots": column_specifications,
    }
    return environment.get_template("page.html").render(
        board=board,
        groups=list(_groups(board)),
        troubles=[(row, column, cell, remedy(board, cell)) for row, column, cell in troubled(board)],
        how_to_read=how_to_read(board),
        cautions=cautions(board),
        made_with=board.made_with,
        text=text,
        whisker=WHISKER,
        style=style,
        vega=_vega(),
        script=script,
        policy=policy([style], [_vega(), script]),
        island=island,
        plot=_inline(plot),
        sections=evaluator_sections(board),
        along=along,
        courses=list(_courses(board)),
        published_explained=published.EXPLAINED,
        inline=_inline,
    )


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed in one script."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower()
    return bundle


def _inline(png: bytes) -> Markup:
    return Markup("data:image/png;base64,") + base64.b64encode(png).decode()  # no text from outside


def _groups(board: Board) -> Iterator[RowGroup]:
    """Group the rows of each division: ranked, incomplete, references."""
    scales = [(column, _scale(column)) for column in board.ranking]
    for division in board.divisions:
        note, name = why_apart(board, division), board.heading(division)
        for heading, standings in _kinds(division):
            rows = tuple(
                PageRow(standing, tuple(_page_cell(board, standing, column, scale) for column, scale in scales))
                for standing in standings
            )
            yield RowGroup(" · ".join(part for part in (name, heading) if part), note, rows)
            note = ""


def _courses(board: Board) -> Iterator[tuple[along.Course, list[tuple[int, list[PageCell]]]]]:
    """Rows after shares of each fit, with their cells in the columns that rank."""
    scales = [(column, _scale(column)) for column in board.ranking]
    for course in along.courses(board):
        standings = [(point.share, Standing(point.row, None)) for point in course.points]
        yield (
            course,
            [(share, [_page_cell(board, one, column, scale) for column, scale in scales]) for share, one in standings],
        )


def _kinds(division: Division) -> Iterator[tuple[str, list[Standing]]]:
    methods = [standing for standing in division.standings if not standing.row.supervised]
    kinds = (
        ("", [standing for standing in methods if standing.row.complete]),
        ("Incomplete: not ranked", [standing for standing in methods if not standing.row.complete]),
        ("References: read labels, never ranked", [one for one in division.standings if one.row.supervised]),
    )
    return ((heading, standings) for heading, standings in kinds if standings)


def _page_cell(board: Board, standing: Standing, column: Column, scale: Scale) -> PageCell:
    cell, metric = standing.row.cell(column), column.metric
    interval, chance = cell.interval, cell.primary.chance
    if interval is None:
        return PageCell(cell)
    low, high = interval.low, interval.high
    return PageCell(
        cell,
        mean=text.number(interval.mean, metric),
        span=text.span(interval, metric),
        covers=board.exception(cell),
        sort=interval.mean if metric.higher_is_better else -interval.mean,
        leading=standing.rank is not None and standing.rank.within(column).leading,
        bar=None if low is None or high is None else (scale.at(low), scale.at(high)),
        dot=scale.at(interval.mean),
        seeds=tuple(scale.at(value) for _, value in cell.primary.values),
        chance=None if chance is None else scale.at(chance),
    )


def _scale(column: Column) -> Scale:
    """Range of everything drawn in a column."""
    drawn = list(column.chance(column.metric) or ())
    for cell in column.cells:
        drawn += [value for _, value in cell.primary.values]
        if cell.interval:
            drawn += [end for end in (cell.interval.low, cell.interval.high) if end is not None]
    low, high = (min(drawn), max(drawn)) if drawn else (0.0, 1.0)
    return Scale(low, high) if high > low else Scale(low - 0.5, low + 0.5)
