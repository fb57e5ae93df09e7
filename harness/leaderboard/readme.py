"""A board as a README that GitHub shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.cards import Paper
from harness.leaderboard import published, text
from harness.leaderboard.board import Board
from harness.leaderboard.ranking import RULE, Division, Rank
from harness.leaderboard.sections import File, Section, of_data, sections
from harness.leaderboard.statistics import DRAWS, SEED
from harness.leaderboard.table import Cell, CellStatus, Column, Row
from harness.leaderboard.text import code, coverage, differences, letter, markdown

FAILED: tuple[CellStatus, ...] = ("failed", "diverged", "oom", "data")


def readme(board: Board, plot: str, plots: Mapping[int, str]) -> str:
    """The whole README.

    Args:
        board: what to show.
        plot: file name of the board's plot.
        plots: file names of the columns' plots, by column.
    """
    blocks = [f"# {markdown(board.title)}", markdown(board.summary), tables(board), _legend(board)]
    blocks += [f"![Every row's mean, interval and seeds in each column]({plot})"]
    if evaluators := list(_evaluators(board, plots)):
        blocks += ["## Evaluators", *evaluators]
    blocks += ["## How to read it", how_to_read(board), "## What was measured", _columns(board)]
    if troubles := list(_troubles(board)):
        blocks += ["## Not measured", "\n".join(troubles)]
    if board.pictures:
        blocks += ["## The data", *map(_picture, of_data(board))]
    blocks += ["## Reproduce", _reproduce(board)]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _evaluators(board: Board, plots: Mapping[int, str]) -> Iterator[str]:
    """For each column all metrics, their plot, and the pictures of one of its runs."""
    for section in sections(board, plots):
        yield f"### {markdown(section.heading)}"
        yield markdown(section.summary)
        if section.conditions:
            yield f"Measured where {markdown(section.conditions)}."
        if section.metrics:
            yield _metrics(section)
        if section.published:
            yield from ("#### Published numbers", published.EXPLAINED, *map(_published, section.published))
        if section.plot:
            yield f"![Every row's metrics of {markdown(section.heading)}]({section.plot})"
        yield from map(_picture, section.pictures)


def _metrics(section: Section) -> str:
    lines = [["method", *map(markdown, section.metrics)], [":--", *("--:" for _ in section.metrics)]]
    for line in section.lines:
        label = markdown(line.label) + (f"<br>{markdown(line.conditions)}" if line.conditions else "")
        note = "" if line.status in {"done", "missing"} else f" *{line.status}*"
        cells = [f"{mean} [{span.replace('–', ', ')}]" if span else mean for mean, span in line.cells]
        lines.append([label + note, *cells])
    if section.chances:
        lines.append(["*chance*", *section.chances])
    return _lined(lines)


def _published(source: published.Source) -> str:
    note = f" Note: {markdown(source.note)}." if source.note else ""
    lines = [["method", markdown(source.metric), "backbone", "pretraining", "table"]]
    lines.append([":--", "--:", ":--", ":--", ":--"])
    for line in source.lines:
        label = markdown(line.method) + (f"<br>{markdown(line.note)}" if line.note else "")
        lines.append([label, line.value, *map(markdown, (line.backbone, line.pretraining, line.table))])
    return f"From {_link(source.paper)}.{note}\n\n{_lined(lines)}"


def _link(paper: Paper) -> str:
    title = markdown(paper.title)
    linked = f"[{title}](<{paper.url.replace('&', '&amp;')}>)" if paper.url else title
    return f"{linked} ({markdown(paper.authors)}; {markdown(paper.venue)} {paper.year})"


def _lined(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(file: File) -> str:
    return f"![{markdown(file.caption)}]({file.name})\n\n*{markdown(file.caption)}*"


def tables(board: Board) -> str:
    """One table for each division."""
    blocks = []
    for number, division in enumerate(board.divisions):
        if len(board.divisions) > 1:
            blocks.append(f"### Protocols {letter(number)}")
            if number:
                blocks.append(markdown(difference_from_first(board, division)))
        blocks.append(_table(board, division))
    return "\n\n".join(blocks)


def difference_from_first(board: Board, division: Division) -> str:
    """In which settings the protocols of `division` are not those of the first."""
    changed = differences(board.protocols(division), board.protocols(board.divisions[0]))
    settings = "; ".join(f"{path} is {here}, in A {there}" for path, here, there in changed)
    return f"Ranked apart, because the protocol differs: {settings or 'other columns were measured'}."


def how_to_read(board: Board) -> str:
    """The statistics and the rule of ranking, stated."""
    seeds = f"{len(board.seeds)} seed{'s' if len(board.seeds) > 1 else ''}"
    apart = " Speed stands apart and ranks nothing." if len(board.ranking) < len(board.columns) else ""
    return (
        f"Numbers are means over {seeds}. Intervals are 95 %, for new seeds on new groups of videos: the variance over "
        f"{DRAWS:,} bootstrap draws of the test set's groups (seed {SEED}) plus the variance between seeds, with t "
        f"quantiles; of metrics that no single video adds to, for new seeds alone. {RULE}{apart} Chance is what an "
        "encoder that knows nothing gets on the same videos. A blank cell was not measured; - stands where a run has "
        "no such metric."
    )


def _table(board: Board, division: Division) -> str:
    columns = [(j, board.columns[j]) for j in board.ranking]
    header = ["rank", "method"]
    header += [f"{markdown(board.heading(c))}<br>{markdown(text.measured(c.metric))}" for _, c in columns]
    lines = [header, ["--:", ":--", *("--:" for _ in columns)]]
    for i, rank in zip(division.rows, division.ranks, strict=True):
        row = board.rows[i]
        cells = [_cell(row.cells[j], column, leading=bool(rank and rank.leading[j])) for j, column in columns]
        lines.append([_place(row, rank), markdown(board.label(row)), *cells])
    chance = [text.chance(limit, c.metric) if (limit := board.chance(j)) else "" for j, c in columns]
    lines.append(["", "*chance*", *chance])
    return _lined(lines)


def _place(row: Row, rank: Rank | None) -> str:
    if row.supervised:
        return "*reference*"
    if not row.complete:
        return "*incomplete*"
    return text.place(rank) if rank else ""


def _cell(cell: Cell, column: Column, *, leading: bool) -> str:
    note = "" if cell.status in {"done", "missing"} else f"*{cell.status}*"
    if cell.interval is None:
        return note
    mean = text.shown(cell.interval.mean, column.metric)
    mean = f"**{mean}**" if leading else mean
    span = text.span(cell.interval, column.metric).replace("–", ", ")
    seen = coverage(cell)
    parts = (mean, f"[{span}]" if span else "", note, f"<br>{markdown(seen)}" if seen else "")
    return " ".join(part for part in parts if part)


def _legend(board: Board) -> str:
    seeds = f"mean over {len(board.seeds)} seeds" if len(board.seeds) > 1 else "one seed"
    parts = [f"Cells: {seeds} [95 % interval]; ↑ higher is better, ↓ lower is better."]
    if any(rank and any(rank.leading) for division in board.divisions for rank in division.ranks):
        parts.append("**Bold**: nothing in the column is separably better.")
    if any(row.supervised for row in board.rows):
        parts.append("*Reference*: reads labels, never ranked.")
    if board.shared:
        parts.append(f"All rows: {markdown(', '.join(board.shared))}.")
    if len({column.data.label for column in board.columns}) == 1:
        parts.append(f"All columns: {markdown(board.columns[0].data.label)}.")
    return " ".join(parts)


def _columns(board: Board) -> str:
    lines = [["column", "metric", "videos", "groups", "protocol"], [":--", ":--", "--:", "--:", ":--"]]
    for j, column in enumerate(board.columns):
        videos, groups = (" / ".join(map(str, found)) for found in board.test_set(j))
        metric = markdown(text.measured(column.metric))
        lines.append([markdown(board.heading(column)), metric, videos, groups, markdown(column.card.protocol)])
    return _lined(lines)


def _troubles(board: Board) -> Iterator[str]:
    for row, column, cell in troubled(board):
        again = remedy(board, cell.status)
        rerun = f"; rerun with {code(again)}" if again else ""
        where = f"{markdown(board.label(row))} / {markdown(board.heading(column))}"
        yield f"- {where}: **{cell.status}**: {markdown(cell.reason)}{rerun}"


def troubled(board: Board) -> Iterator[tuple[Row, Column, Cell]]:
    """Every cell that is not done."""
    for row in board.rows:
        for column, cell in zip(board.columns, row.cells, strict=True):
            if cell.status != "done":
                yield row, column, cell


def remedy(board: Board, status: CellStatus) -> str:
    """The command that measures a cell of this status again; nothing for one that cannot be measured."""
    if status == "not applicable":
        return ""
    return f"{board.command} --retry-failed" if status in FAILED else board.command


def _reproduce(board: Board) -> str:
    suite = f"Suite {code(board.suite)}, content {code(board.suite_hash)}."
    files = (
        "[index.html](index.html) is the same board to sort and search, with the provenance of every number; "
        "[table.csv](table.csv) has one line for each metric of each cell; [results.json](results.json) has every run "
        "with its predictions, and is enough to make this folder again."
    )
    fence = "`" * max(3, len(code(board.command)) - len(code(board.command).lstrip("`")) + 2)
    return f"{fence}sh\n{' '.join(board.command.split())}\n{fence}\n\n{suite} {files}"
