"""A board as a README in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby

from harness.cards import Paper
from harness.leaderboard import along, published, text
from harness.leaderboard.board import LABELLED, Board, Picture, RunPicture
from harness.leaderboard.cautions import Caution, cautions
from harness.leaderboard.made_with import MadeWith
from harness.leaderboard.ranking import RULE, Division, Standing
from harness.leaderboard.sections import EvaluatorSection, evaluator_sections
from harness.leaderboard.statistics import DRAWS, FEWEST_GROUPS, SEED
from harness.leaderboard.table import BoardCell, CellStatus, Column, Row
from harness.system.text import code, markdown, one_line

FAILED: tuple[CellStatus, ...] = ("failed", "diverged", "oom", "data")
APART = "They started from weights that learnt from labels, so they are ranked among themselves."
LINES = 200
"""Number of lines of a table or a list, of which there may be thousands."""
PLOT = "plot.png"
"""File name of the board's plot."""


def readme(board: Board) -> str:
    """Write the whole README."""
    blocks = [
        f"# {markdown(board.title)}",
        markdown(board.summary),
        tables(board),
        _legend(board),
        *map(_caution, cautions(board)),
    ]
    blocks += [f"![Every row's mean, interval and seeds in each column]({PLOT})"]
    if board.at_shares:
        plot = f"![Scores along pretraining]({along.PLOT})" if along.plotted(board) else ""
        blocks += ["## Along pretraining", along.EXPLAINED, plot, _along(board)]
    if sections := evaluator_sections(board):
        blocks += ["## Evaluators", *(block for section in sections for block in _section(section))]
    blocks += ["## How to read it", how_to_read(board), "## What was measured", _columns(board)]
    if troubles := list(_troubles(board)):
        blocks += ["## Not measured", "\n".join(troubles)]
    if board.pictures:
        blocks += ["## The data", *map(_picture, board.pictures)]
    blocks += ["## Reproduce", _reproduce(board)]
    return "\n\n".join(_shortened(block) for block in blocks if block) + "\n"


def _shortened(block: str) -> str:
    """Cut long tables and lists, and say where the rest is."""
    parts = []
    for listed, lines in groupby(block.split("\n"), lambda line: line.startswith(("| ", "- "))):
        shown = list(lines)
        if listed and len(shown) > LINES:
            rest = f"{len(shown) - LINES:,} more are in [index.html](index.html) and [table.csv](table.csv)."
            shown = [*shown[:LINES], "", rest]
        parts += shown
    return "\n".join(parts)


def _section(section: EvaluatorSection) -> Iterator[str]:
    """Write about one column: all metrics, their plot, and pictures of a run."""
    column = section.column
    yield f"### {markdown(column.heading)}"
    yield markdown(column.card.summary)
    if section.conditions:
        yield f"Measured where {markdown(section.conditions)}."
    if section.metrics:
        yield _metrics(section)
    if section.published:
        yield from ("#### Published numbers", published.EXPLAINED, *map(_published, section.published))
    if column.plot_file:
        yield f"![Every row's metrics of {markdown(column.heading)}]({column.plot_file})"
    yield from map(_picture, section.pictures)


def _metrics(section: EvaluatorSection) -> str:
    lines = [["method", *map(markdown, section.metrics)], [":--", *("--:" for _ in section.metrics)]]
    for row in section.rows:
        label = markdown(row.label) + (f"<br>{markdown(row.conditions)}" if row.conditions else "")
        note = f" {_note(row.cell)}" if _note(row.cell) else ""
        cells = [f"{mean} [{span.replace('–', ', ')}]" if span else mean for mean, span in row.values]
        lines.append([label + note, *cells])
    if section.chances:
        lines.append(["*chance*", *section.chances])
    return _table(lines)


def _published(paper: published.PaperNumbers) -> str:
    note = f" Note: {markdown(paper.note)}." if paper.note else ""
    lines = [["method", markdown(paper.metric), "backbone", "pretraining", "table"]]
    lines.append([":--", "--:", ":--", ":--", ":--"])
    for number in paper.numbers:
        label = markdown(number.method) + (f"<br>{markdown(number.note)}" if number.note else "")
        lines.append([label, number.value, *map(markdown, (number.backbone, number.pretraining, number.table))])
    return f"From {_link(paper.paper)}.{note}\n\n{_table(lines)}"


def _link(paper: Paper) -> str:
    title = markdown(paper.title)
    linked = f"[{title}](<{paper.url.replace('&', '&amp;')}>)" if paper.url else title
    return f"{linked} ({markdown(paper.authors)}; {markdown(paper.venue)} {paper.year})"


def _table(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _picture(picture: Picture | RunPicture) -> str:
    return f"![{markdown(picture.caption)}]({picture.file})\n\n*{markdown(picture.caption)}*"


def tables(board: Board) -> str:
    """Write one table for each division."""
    blocks = []
    for division in board.divisions:
        if heading := board.heading(division):
            blocks.append(f"### {markdown(heading)}")
        if note := why_apart(board, division):
            blocks.append(markdown(note))
        blocks.append(_division(board, division))
    return "\n\n".join(blocks)


def why_apart(board: Board, division: Division) -> str:
    """Explain why a division is ranked apart: labels, or settings unlike the first's."""
    notes = [difference_from_first(board, division)] if division.protocols else []
    notes += [APART] if division.labelled else []
    return " ".join(notes)


def difference_from_first(board: Board, division: Division) -> str:
    """Name the settings in which protocols differ from those of the first division."""
    changed = division.differences(board.divisions[0], board.ranking)
    settings = "; ".join(f"{path} is {here}, in A {there}" for path, here, there in changed)
    return f"Ranked apart, because the protocol differs: {settings or 'other columns were measured'}."


def how_to_read(board: Board) -> str:
    """State the statistics and the rule of ranking."""
    seeds = f"{len(board.seeds)} seed{'s' if len(board.seeds) > 1 else ''}"
    unranked = {column.card.time for column in board.columns if not column.ranks}
    kinds = {True: "Speed", False: "What applies to one row alone"}
    apart = "".join(f" {kind} stands apart and ranks nothing." for time, kind in kinds.items() if time in unranked)
    return (
        f"Numbers are means over {seeds}. They estimate the mean over new seeds on new groups of videos, and 95 % "
        "intervals cover that: from the variance between seeds and the variance over "
        f"{DRAWS:,} bootstrap draws of the test set's groups (seed {SEED}), each with t quantiles of its own degrees "
        "of freedom, between two bounds on the scale of log odds. With one seed they cover what this fit would get on "
        f"new groups; of metrics that no single video adds to, new seeds alone. Fewer than {FEWEST_GROUPS} groups have "
        f"no interval. {RULE}{apart} Chance is what an "
        "encoder that knows nothing gets on the same videos. A blank cell was not measured; - stands where a run has "
        "no such metric."
    )


def _division(board: Board, division: Division) -> str:
    columns = board.ranking
    lines = [["rank", "method", "sees", *_headings(board)], ["--:", ":--", ":--", *("--:" for _ in columns)]]
    for standing in division.standings:
        cells = [_cell(board, standing, column) for column in columns]
        lines.append([place(standing), markdown(standing.row.label), markdown(standing.row.sees), *cells])
    lines.append(
        ["", "*chance*", "", *(text.chance(column.chance(column.metric), column.metric) for column in columns)]
    )
    return _table(lines)


def place(standing: Standing) -> str:
    """Place in the division, with the range that the statistics leave open: `1 (1–3)`."""
    rank = standing.rank
    if standing.row.supervised:
        return "*reference*"
    if not standing.row.complete:
        return "*incomplete*"
    if rank is None:
        return ""
    return str(rank.place) if rank.low == rank.high else f"{rank.place} ({text.rank_range(rank.low, rank.high)})"


def _along(board: Board) -> str:
    """Write a table of all rows after shares of fits, each with its whole fit."""
    lines = [["method", "% of the fit", *_headings(board)], [":--", "--:", *("--:" for _ in board.ranking)]]
    for course in along.courses(board):
        for point in course.points:
            cells = [_cell(board, Standing(point.row, None), column) for column in board.ranking]
            lines.append([markdown(course.label), str(point.share), *cells])
    return _table(lines)


def _headings(board: Board) -> list[str]:
    return [f"{markdown(c.heading)}<br>{markdown(text.metric_heading(c.metric))}" for c in board.ranking]


def _cell(board: Board, standing: Standing, column: Column) -> str:
    cell = standing.row.cell(column)
    if cell.interval is None:
        return _note(cell)
    mean = text.number(cell.interval.mean, column.metric)
    if standing.rank and standing.rank.within(column).leading:
        mean = f"**{mean}**"
    span = text.span(cell.interval, column.metric, ", ")
    notes = [f"<br>{markdown(note)}" for note in (cell.coverage, cell.data_faults) if note]
    covers = f"*{exception}*" if (exception := board.exception(cell)) else ""
    return " ".join(part for part in (mean, f"[{span}]" if span else "", covers, _note(cell), *notes) if part)


def _note(cell: BoardCell) -> str:
    return "" if cell.status in {"done", "missing"} else f"*{cell.status}*"


def _legend(board: Board) -> str:
    seeds = f"mean over {len(board.seeds)} seeds" if len(board.seeds) > 1 else "one seed"
    parts = [f"Cells: {seeds} [95 % interval: {board.covers}]; ↑ higher is better, ↓ lower is better."]
    ranks = [standing.rank for division in board.divisions for standing in division.standings if standing.rank]
    if any(within.leading for rank in ranks for within in rank.columns):
        parts.append("**Bold**: nothing in the column is separably better.")
    if any(row.supervised for row in board.rows):
        parts.append("*Reference*: reads labels, never ranked.")
    if any(row.labelled for row in board.rows):
        parts.append(f"*{LABELLED}*: ranked among themselves.")
    if board.shared:
        own = any(part.backbone or part.pretraining for row in board.rows for part in row.identity.parts)
        rows = "Where a row names no other" if own else "All rows"
        parts.append(f"{rows}: {markdown(', '.join(board.shared))}.")
    if board.shared_data:
        parts.append(f"All columns: {markdown(board.shared_data)}.")
    if names := board.made_with.names:
        parts.append(f"**Rows differ in {markdown(', '.join(names))}**: see [Reproduce](#reproduce).")
    return " ".join(parts)


def _caution(caution: Caution) -> str:
    return f"> {markdown(caution.text)}" + (f" {code(caution.command)}" if caution.command else "")


def _columns(board: Board) -> str:
    lines = [["column", "metric", "videos", "groups", "protocol"], [":--", ":--", "--:", "--:", ":--"]]
    for column in board.columns:
        texts = (column.heading, text.metric_heading(column.metric), column.card.protocol)
        heading, metric, protocol = map(markdown, texts)
        videos, groups = (" / ".join(map(str, counts)) for counts in (column.videos, column.groups))
        lines.append([heading, metric, videos, groups, protocol])
    return _table(lines)


def _troubles(board: Board) -> Iterator[str]:
    for row, column, cell in troubled(board):
        again = remedy(board, cell)
        rerun = f"; rerun with {code(again)}" if again else ""
        where = f"{markdown(row.label)} / {markdown(column.heading)}"
        yield f"- {where}: **{cell.status}**: {markdown(cell.reason)}{rerun}"


def troubled(board: Board) -> Iterator[tuple[Row, Column, BoardCell]]:
    """Every cell that is not done."""
    for row in (*board.rows, *board.at_shares):
        for column in board.columns:
            if (cell := row.cell(column)).status != "done":
                yield row, column, cell


def remedy(board: Board, cell: BoardCell) -> str:
    """Command that measures a cell again; empty for one that cannot be measured."""
    if cell.status == "not applicable":
        return ""
    failed = any(seed.run is not None and seed.run.status != "done" for seed in cell.seeds)
    return f"{board.command} --retry-failed" if cell.status in FAILED and failed else board.command


def _reproduce(board: Board) -> str:
    suite = f"Suite {code(board.suite)}, content {code(board.suite_hash)}."
    files = (
        "[index.html](index.html) is the same board to sort and search, with the provenance of every number; "
        "[table.csv](table.csv) has one line for each metric of each cell; [results.json](results.json) has every run "
        "with its predictions, and is enough to make this folder again."
    )
    line = one_line(board.command, 10 * len(board.command))  # whole, as it is copied
    fence = "`" * max(3, len(code(line)) - len(code(line).lstrip("`")) + 2)
    command = f"{fence}sh\n{line}\n{fence}"
    return "\n\n".join(block for block in (command, f"{suite} {files}", _made_with(board.made_with)) if block)


def _made_with(made: MadeWith) -> str:
    """Write the settings of all rows, and a table of those that differ."""
    if not made.names:
        return markdown(made.sentence)
    lines = [["method", *map(markdown, made.names)], [":--", *(":--" for _ in made.names)]]
    lines += [[markdown(row.label), *map(markdown, values)] for row, values in made.rows]
    warning = replace(made, names=tuple(map(markdown, made.names))).warning
    return "\n\n".join([markdown(made.sentence), warning, _table(lines)])
