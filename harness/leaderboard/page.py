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

from harness.leaderboard import published, sections, text
from harness.leaderboard.board import Board
from harness.leaderboard.ranking import Division, Rank
from harness.leaderboard.readme import difference_from_first, how_to_read, remedy, tables, troubled
from harness.leaderboard.statistics import Difference
from harness.leaderboard.table import Cell, Measurement, Row
from harness.leaderboard.table_csv import table_csv
from harness.leaderboard.text import coverage, flatten, merge, one_line

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
        finalize=_finalize,
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
    columns = [(column, board.heading(column), text.measured(column.metric)) for column in board.columns]
    return environment.get_template("page.html").render(
        board=board,
        sections=list(_sections(board, scales)),
        chances=[
            text.chance(limits, board.columns[j].metric) if (limits := board.chance(j)) else "" for j in board.ranking
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
        numbers=text,
        whisker=WHISKER,
        style=style,
        vega=_vega(),
        script=script,
        policy=_policy([style], [_vega(), script]),
        island=island,
        plot=_inline(plot),
        evaluators=sections.sections(board, names),
        published_explained=published.EXPLAINED,
        pictures=sections.of_data(board),
        inline=_inline,
    )


def _finalize(value: Any) -> Any:
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
        name = f"Protocols {text.letter(number)}" if several else ""
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
        mean=text.shown(interval.mean, metric),
        span=text.span(interval, metric),
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


def details(board: Board) -> list[dict[str, Any]]:
    """One JSON value for each row of the board."""
    return [_cleaned(_row(board, i)) for i in range(len(board.rows))]


def _cleaned(value: Any) -> Any:
    """`value` with every text on one line and without what reorders it on screen."""
    if isinstance(value, dict):
        return {one_line(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return one_line(value) if isinstance(value, str) else value


def _row(board: Board, i: int) -> dict[str, Any]:
    row = board.rows[i]
    runs = [seed.run for cell in row.cells for seed in cell.seeds if seed.run]
    method, backbone, pretraining, frames = row.parts
    return {
        "title": board.label(row),
        "facts": {
            "method": method,
            "backbone": backbone,
            "learnt from": f"{pretraining}, {frames}" + (", with labels" if row.supervised else ""),
            "fits": "; ".join(dict.fromkeys(run.fit_key for run in runs)) or "none",
        },
        "cells": [_cell(board, i, j, cell) for j, cell in enumerate(row.cells)],
        "provenance": merge(run.provenance for run in runs),
    }


def _cell(board: Board, i: int, j: int, cell: Cell) -> dict[str, Any]:
    column = board.columns[j]
    metric, interval = column.metric, cell.interval
    protocol = next((seed.run.protocol for seed in cell.seeds if seed.run and seed.status == "done"), None)
    facts: dict[str, str] = {"status": cell.status}
    if cell.reason:
        facts["reason"] = cell.reason
    if seen := coverage(cell):
        facts["coverage"] = seen
    if interval and interval.carries:
        facts["interval carries"] = interval.carries
    if cell.baseline is not None:
        facts["chance"] = text.shown(cell.baseline, metric)
    facts |= _shares(board, i, j)
    if cell.protocol_id:
        facts["protocol id"] = cell.protocol_id
    return {
        "title": board.heading(column),
        "metric": text.measured(metric),
        "mean": text.shown(interval.mean, metric) if interval else cell.status,
        "span": text.span(interval, metric) if interval else "",
        "facts": facts,
        "seeds": [_seed(board, j, seed) for seed in cell.seeds],
        "metrics": _metrics(board, j, cell),
        "comparisons": _comparisons(board, i, j),
        "protocol": flatten(protocol) if protocol else {},
    }


def _seed(board: Board, j: int, seed: Measurement) -> dict[str, Any]:
    metric = board.columns[j].metric
    return {
        "seed": seed.seed,
        "value": "" if seed.value is None else text.shown(seed.value, metric),
        "status": seed.status,
        "reason": seed.reason,
        "command": f"harness show {seed.key}" if seed.run else "",
    }


def _metrics(board: Board, j: int, cell: Cell) -> list[dict[str, str]]:
    """All metrics of the column's card that the cell has; nothing where there is only the primary one."""
    card, found = board.columns[j].card, []
    for m, metric in enumerate(card.metrics if len(card.metrics) > 1 else ()):
        measure = cell.measure(m)
        if measure.interval is not None:
            values = [seed.values[m] for seed in cell.seeds if seed.values]
            found.append(
                {
                    "metric": text.measured(metric),
                    "mean": text.shown(measure.interval.mean, metric),
                    "span": text.span(measure.interval, metric),
                    "chance": "" if measure.baseline is None else text.shown(measure.baseline, metric),
                    "seeds": " ".join(text.shown(value, metric) for value in values if value is not None),
                }
            )
    return found


def _shares(board: Board, i: int, j: int) -> dict[str, str]:
    """What share of each supervised result of the same backbone, budget and protocol the row reaches."""
    row, metric = board.rows[i], board.columns[j].metric
    cell = row.cells[j]
    if row.supervised or cell.status != "done" or cell.interval is None:
        return {}
    if metric.unit != "%" or not metric.higher_is_better:
        return {}
    shares = {}
    for other in board.rows:
        theirs = other.cells[j]
        same = (other.identity.backbone, other.identity.frames) == (row.identity.backbone, row.identity.frames)
        comparable = other.supervised and same and theirs.status == "done" and theirs.protocol_id == cell.protocol_id
        if comparable and theirs.interval is not None and theirs.interval.mean > 0:
            shares[f"of {other.parts[0]}"] = text.share(cell.interval.mean, theirs.interval.mean)
    return shares


def _comparisons(board: Board, i: int, j: int) -> list[dict[str, Any]]:
    """The paired differences of row `i` to the others of its column."""
    found = []
    for comparison in board.comparisons:
        if comparison.column == j and i in (comparison.one, comparison.other):
            turned = comparison.other == i
            difference = comparison.difference
            if turned:
                difference = Difference(-difference.mean, -difference.high, -difference.low, difference.p)
            other: Row = board.rows[comparison.one if turned else comparison.other]
            found.append(
                {
                    "other": board.label(other),
                    "difference": text.signed(difference, board.columns[j].metric),
                    "p": text.probability(comparison.adjusted),
                    "separable": comparison.separable,
                }
            )
    return found
