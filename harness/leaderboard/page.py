"""A board as one HTML page without network: the table is plain HTML, a script adds sorting, search and details."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jinja2
import vl_convert

from harness.leaderboard import evaluator_section, numbers, pictures, published
from harness.leaderboard.board import Board
from harness.leaderboard.coverage import coverage
from harness.leaderboard.details import details
from harness.leaderboard.escaping import one_line
from harness.leaderboard.markdown import difference_from_first, how_to_read, remedy, tables, troubled
from harness.leaderboard.ranking import Division, Rank
from harness.leaderboard.table import Cell, Row
from harness.leaderboard.table_csv import table_csv

WHISKER = 104
"""Pixels from the least to the greatest value of a column, in the small picture within each cell."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A cell as the page shows it."""

    cell: Cell
    mean: str = ""
    span: str = ""
    coverage: str = ""
    sort: float | None = None
    leading: bool = False
    bar: tuple[float, float] | None = None
    dot: float | None = None
    seeds: tuple[float, ...] = ()
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A row as the page shows it; `index` is its place in the board."""

    index: int
    row: Row
    rank: Rank | None
    cells: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """Rows that are sorted among themselves."""

    heading: str
    note: str
    lines: tuple[Line, ...]


def page(
    board: Board,
    specification: dict[str, Any],
    plot: bytes,
    names: Mapping[int, str],
    specifications: Mapping[int, dict[str, Any]],
) -> str:
    """The page's HTML.

    Args:
        board: what to show.
        specification: of the board's plot, drawn by the page itself.
        plot: the same as PNG, shown where scripts are off.
        names: file names of the columns' plots, by column.
        specifications: of the columns' plots, drawn by the page itself.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("harness.leaderboard"),
        autoescape=True,
        finalize=_cleaned,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}
    style, script = (_source(environment, name) for name in ("page.css", "page.js"))
    island = {
        "rows": details(board),
        "csv": table_csv(board),
        "markdown": tables(board) + "\n",
        "plot": specification,
        "plots": {names[j]: specifications[j] for j in names},
    }
    scales = {j: _scale(board, j) for j in board.ranking}
    columns = [(column, board.heading(column), numbers.measured(column.metric)) for column in board.columns]
    return environment.get_template("page.html").render(
        board=board,
        sections=list(_sections(board, scales)),
        chances=[
            numbers.chance(limits, board.columns[j].metric) if (limits := board.chance(j)) else ""
            for j in board.ranking
        ],
        test_sets=[[" / ".join(map(str, found)) for found in board.test_set(j)] for j in range(len(board.columns))],
        columns=[columns[j] for j in board.ranking],
        all_columns=columns,
        one_data=len({column.data.label for column in board.columns}) == 1,
        troubles=[
            (board.label(row), board.heading(column), cell, remedy(board, cell.status))
            for row, column, cell in troubled(board)
        ],
        how_to_read=how_to_read(board),
        numbers=numbers,
        whisker=WHISKER,
        style=style,
        vega=_vega(),
        script=script,
        policy=_policy([style], [_vega(), script]),
        island=island,
        plot=_inline(plot),
        evaluators=evaluator_section.sections(board, names),
        published_explained=published.EXPLAINED,
        pictures=pictures.of_data(board),
        inline=_inline,
    )


def _cleaned(value: Any) -> Any:
    """Without what reorders text on screen; markup is the page's own."""
    return one_line(value) if type(value) is str else value


@functools.cache
def _vega() -> str:
    """Vega, Vega-Lite and vega-embed in one script."""
    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    assert "</script" not in bundle.lower()
    return bundle


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(styles: Sequence[str], scripts: Sequence[str]) -> str:
    """A content security policy under which only these styles and scripts work, and nothing is loaded."""

    def hashes(sources: Sequence[str]) -> str:
        found = [base64.b64encode(hashlib.sha256(source.encode()).digest()).decode() for source in sources]
        return " ".join(f"'sha256-{value}'" for value in found)

    return (
        f"default-src 'none'; script-src {hashes(scripts)}; style-src {hashes(styles)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"


def _sections(board: Board, scales: Mapping[int, tuple[float, float]]) -> Iterator[Section]:
    for number, division in enumerate(board.divisions):
        several = len(board.divisions) > 1
        note = difference_from_first(board, division) if number else ""
        name = f"Protocols {numbers.letter(number)}" if several else ""
        for heading, members in _kinds(division, board.rows):
            lines = []
            for i, rank in members:
                shown = tuple(_shown(board, j, board.rows[i], rank, scale) for j, scale in scales.items())
                lines.append(Line(i, board.rows[i], rank, shown))
            yield Section(" · ".join(part for part in (name, heading) if part), note, tuple(lines))
            note = ""


def _kinds(division: Division, rows: Sequence[Row]) -> Iterator[tuple[str, list[tuple[int, Rank | None]]]]:
    members = list(zip(division.rows, division.ranks, strict=True))
    methods = [(i, rank) for i, rank in members if not rows[i].supervised]
    kinds = (
        ("", [(i, rank) for i, rank in methods if rows[i].complete]),
        ("Incomplete: not ranked", [(i, rank) for i, rank in methods if not rows[i].complete]),
        ("References: read labels, never ranked", [(i, rank) for i, rank in members if rows[i].supervised]),
    )
    yield from ((heading, found) for heading, found in kinds if found)


def _shown(board: Board, j: int, row: Row, rank: Rank | None, scale: tuple[float, float]) -> Shown:
    cell, metric = row.cells[j], board.columns[j].metric
    interval = cell.interval
    if interval is None:
        return Shown(cell)

    def at(value: float) -> float:
        low, high = scale
        return round(4 + (WHISKER - 8) * (value - low) / (high - low), 2)

    return Shown(
        cell,
        mean=numbers.shown(interval.mean, metric),
        span=numbers.span(interval, metric),
        sort=interval.mean if metric.higher_is_better else -interval.mean,
        leading=bool(rank and rank.leading[j]),
        bar=None if interval.low is None or interval.high is None else (at(interval.low), at(interval.high)),
        dot=at(interval.mean),
        seeds=tuple(at(seed.value) for seed in cell.seeds if seed.value is not None),
        coverage=coverage(cell),
        chance=None if cell.baseline is None else at(cell.baseline),
    )


def _scale(board: Board, j: int) -> tuple[float, float]:
    """Least and greatest of everything drawn in a column."""
    found = list(board.chance(j) or ())
    for row in board.rows:
        cell = row.cells[j]
        found += [seed.value for seed in cell.seeds if seed.value is not None]
        if cell.interval:
            limits = (cell.interval.low, cell.interval.high)
            found += [value for value in limits if value is not None]
    low, high = (min(found), max(found)) if found else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
