"""A board as LaTeX tables for a paper, which loads the package `booktabs`."""

from __future__ import annotations

from collections.abc import Sequence

from harness.leaderboard import text
from harness.leaderboard.along import Course, courses
from harness.leaderboard.board import Board
from harness.leaderboard.ranking import Division, Standing
from harness.leaderboard.table import Column, Row
from harness.system.text import one_line

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"{\char34}",
    "–": "--",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "·": r"$\cdot$",
    "×": r"$\times$",
    "\u00a0": "~",
} | {sign: f"\\{sign}" for sign in "&%$#_{}"}


def latex(board: Board) -> str:
    """Write a table for each division: means with their 95 % intervals.

    Bold is what nothing in the column is separably better than, as on the board. References, which read labels, follow
    after a rule. Blank cells were not measured. Where rows have shares of their fit, the last table is along the fit.
    """
    tables = [_table(board, division) for division in board.divisions]
    found = courses(board)
    return "\n\n".join([*tables, *([_along(board, found)] if found else [])]) + "\n"


def escaped(words: str) -> str:
    r"""Write text so that LaTeX sets it as it is.

    >>> print(escaped("5 % of a_b ↑"))
    5 \% of a\_b $\uparrow$
    """
    return "".join(_SPECIAL.get(sign, sign) for sign in one_line(words))


def _table(board: Board, division: Division) -> str:
    ranked = [standing for standing in division.standings if not standing.row.supervised]
    references = [standing for standing in division.standings if standing.row.supervised]
    blocks = ["\n".join(_line(board, _label(one.row), one) for one in own) for own in (ranked, references) if own]
    chances = [escaped(text.chance(column.chance(column.metric), column.metric)) for column in board.ranking]
    if any(chances):
        blocks.append(rf"\emph{{chance}} & {' & '.join(chances)} \\")
    return _tabular(board, f"{board.heading(division)}{'. ' if board.heading(division) else ''}{board.title}", blocks)


def _along(board: Board, found: Sequence[Course]) -> str:
    """Table of courses: a line for each share of a fit, in per cent."""
    blocks = [
        "\n".join(
            _line(board, f"{_label(course.row)}, {point.share} %", Standing(point.row, None)) for point in course.points
        )
        for course in found
    ]
    return _tabular(board, f"{board.title}, after shares of the steps of each fit", blocks)


def _tabular(board: Board, title: str, blocks: Sequence[str]) -> str:
    """Set blocks of lines, rules between them, under the board's headings."""
    headings = [escaped(column.heading) for column in board.ranking]
    units = [escaped(text.metric_heading(column.metric)) for column in board.ranking]
    seeds = f"mean over {len(board.seeds)} seeds" if len(board.seeds) > 1 else "one seed"
    covers = f", 95 % interval: {board.covers}" if board.covers else ""
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(f'{title}: {seeds}{covers}.')}}}",
            rf"\begin{{tabular}}{{l{'r' * len(board.ranking)}}}",
            r"\toprule",
            rf"& {' & '.join(headings)} \\",
            rf"method & {' & '.join(units)} \\",
            r"\midrule",
            "\n\\midrule\n".join(blocks),
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
        ]
    )


def _line(board: Board, label: str, standing: Standing) -> str:
    cells = [_cell(standing, column) for column in board.ranking]
    return rf"{escaped(label)} & {' & '.join(cells)} \\"


def _label(row: Row) -> str:
    return f"{row.label} (reference)" if row.supervised else row.label


def _cell(standing: Standing, column: Column) -> str:
    cell = standing.row.cell(column)
    if cell.interval is None:
        return "" if cell.status in {"done", "missing"} else rf"\emph{{{escaped(cell.status)}}}"
    mean = text.number(cell.interval.mean, column.metric)
    if standing.rank and standing.rank.within(column).leading:
        mean = rf"\textbf{{{mean}}}"
    span = text.span(cell.interval, column.metric, ", ")
    return f"{mean} [{span}]" if span else mean
