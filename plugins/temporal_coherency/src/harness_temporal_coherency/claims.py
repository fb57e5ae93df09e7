"""Table of the paper's claims, computed from boards of the claims suites.

`python -m harness_temporal_coherency.claims leaderboards/coherency-claims* --readme README.md` writes it between two
comments of a README; without `--readme` it is printed.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

import pydantic
import yaml

from harness.cards import Metric
from harness.errors import DataError, HarnessError, UsageError
from harness.leaderboard.board import Board
from harness.leaderboard.results_file import NAME, load_results
from harness.leaderboard.statistics import Difference, Sample, compare
from harness.leaderboard.table import BoardCell
from harness.store.records import CellSpec, Choice, WrittenChoice
from harness.system import progress
from harness.system.files import write_text

BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"
MINI = "-mini"
OF_SIZE = ("size", "frames")
"""Options in which a suite and its mini differ."""

Verdict = Literal["holds", "does not hold", "cannot be told"]


class Side(pydantic.BaseModel):
    """One cell of a claims suite, in either size."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    suite: str
    """Name of the full suite."""
    method: WrittenChoice
    evaluator: WrittenChoice
    backbone: str = "alexnet"
    """Name of the network, whatever its options."""
    pretraining: WrittenChoice | None = None
    """None where the suite has only one."""

    def selects(self, row: CellSpec, evaluator: Choice) -> bool:
        """Check whether a row measured by `evaluator` is this cell, in any size and seed."""
        chosen = [(self.method, row.method), (self.evaluator, evaluator)]
        if self.pretraining is not None and row.pretraining is not None:
            chosen.append((self.pretraining, row.pretraining))
        same = all(_without_size(mine) == _without_size(theirs) for mine, theirs in chosen)
        return same and row.backbone is not None and row.backbone.name == self.backbone


class Pair(pydantic.BaseModel):
    """Two cells, and what the paper says of them."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    of: str
    """Loss, clustering or setting that is compared."""
    paper: str
    """The paper's numbers, or its words."""
    one: Side
    other: Side
    within: float | None = pydantic.Field(default=None, gt=0)
    """Greatest difference of equal cells; None where `one` is to be better."""


class Claim(pydantic.BaseModel):
    """A claim of the paper."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    claim: str
    source: str
    pairs: tuple[Pair, ...] = pydantic.Field(min_length=1)


@dataclass(frozen=True, slots=True)
class Measured:
    """Means of both cells and their paired difference, percent where shown so."""

    metric: Metric
    one: float
    other: float
    difference: Difference | None
    """None where seeds or groups are too few for a test."""


def claims() -> tuple[Claim, ...]:
    """Read the claims that the plugin ships."""
    text = files("harness_temporal_coherency").joinpath("claims.yaml").read_text("utf-8")
    return pydantic.TypeAdapter(tuple[Claim, ...]).validate_python(yaml.safe_load(text))


def measure(pair: Pair, boards: Mapping[str, Board], ending: str) -> Measured | None:
    """Compare the two cells of a pair.

    Args:
        pair: of cells on the same videos.
        boards: by the name of their suite.
        ending: of the suites' names, `-mini` or none.

    Returns:
        None where a board, a cell on it or a run of the cell is missing.

    Raises:
        DataError: when the cells were not measured on the same videos and seeds.
    """
    sides = []
    for side in (pair.one, pair.other):
        board = boards.get(side.suite + ending)
        metric, cell = _cell(side, board) if board else (None, None)
        if metric is None or cell is None or cell.sample is None or cell.interval is None:
            return None
        sides.append((metric, cell.sample, cell.interval.mean))
    (metric, one, mean), (_, other, other_mean) = sides
    try:
        _paired = one - other
    except ValueError as error:
        msg = f"claim about {pair.of!r}: {error}; run both suites with the same seeds and data"
        raise DataError(msg) from error
    scale = 100 if metric.unit == "%" else 1
    return Measured(metric, scale * mean, scale * other_mean, _scaled(one, other, scale))


def _scaled(one: Sample, other: Sample, scale: float) -> Difference | None:
    try:
        gap = compare(one, other)
    except ValueError:  # one seed, or too few groups
        return None
    return Difference(scale * gap.mean, scale * gap.low, scale * gap.high, gap.p)


def verdict(measured: Measured, within: float | None) -> Verdict:
    """Judge by the 95 % interval of the difference.

    A cell is better where the interval lies on that side of 0, and not where it lies on the other side. Two are equal
    where it lies within the tolerance, and not where it lies outside of it.

    >>> from harness.evaluators.cards import CLUSTERING
    >>> lower = Measured(CLUSTERING.primary, 2.0, 2.5, Difference(-0.5, -0.8, -0.2, 0.01))
    >>> verdict(lower, None), verdict(lower, 1.0), verdict(lower, 0.1), verdict(lower, 0.4)
    ('holds', 'holds', 'does not hold', 'cannot be told')
    """
    if measured.difference is None:
        return "cannot be told"
    low, high = measured.difference.low, measured.difference.high
    if within is not None:
        return "holds" if -within < low and high < within else _unless(high < -within or low > within)
    better, worse = low > 0, high < 0
    if not measured.metric.higher_is_better:
        better, worse = worse, better
    return "holds" if better else _unless(worse)


def _unless(refuted: bool) -> Verdict:
    return "does not hold" if refuted else "cannot be told"


def table(boards: Mapping[str, Board], chosen: Sequence[Claim]) -> str:
    """Render the claims as a Markdown table, full and mini side by side.

    Args:
        boards: of the claims suites, by name.
        chosen: the claims.

    Raises:
        DataError: as in `measure`.
    """
    used: dict[str, Board] = {}
    lines = ["| claim | of | paper | full | mini |", "| --- | --- | --- | --- | --- |"]
    for claim in chosen:
        name = f"{claim.claim} ({claim.source})"
        for pair in claim.pairs:
            results = {ending: measure(pair, boards, ending) for ending in ("", MINI)}
            names = [side.suite + ending for ending, one in results.items() if one for side in (pair.one, pair.other)]
            used |= {suite: boards[suite] for suite in names}
            cells = " | ".join(_shown(one, pair.within) for one in results.values())
            lines.append(f"| {name} | {pair.of} | {pair.paper} | {cells} |")
            name = ""
    return "\n".join([*lines, "", *_legend(used)])


def _shown(measured: Measured | None, within: float | None) -> str:
    if measured is None:
        return "not measured"
    digits = 1 if measured.metric.unit == "%" else 2
    one, other = (f"{value:.{digits}f}" for value in (measured.one, measured.other))
    gap = measured.difference
    if gap is None:
        return f"{one}, {other}: no test with so few seeds or groups, **{verdict(measured, within)}**"
    interval = f"{gap.mean:+.{digits}f} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}]"
    return f"{one}, {other}: {interval} **{verdict(measured, within)}**"


def _legend(boards: Mapping[str, Board]) -> Iterator[str]:
    """One line about each size: seeds, budget, and videos and groups of the test sets."""
    for size, mini in (("full", False), ("mini", True)):
        chosen = [board for name, board in boards.items() if name.endswith(MINI) is mini]
        if chosen:
            seeds = _range({len(board.seeds) for board in chosen})
            frames = _range({one.identity.frames for board in chosen for one in board.planned if one.identity.frames})
            tests = [(cell.videos, cell.groups) for board in chosen for row in board.rows for cell in row.cells]
            videos = _range({videos for videos, _ in tests if videos})
            groups = _range({groups for _, groups in tests if groups})
            names = ", ".join(sorted(board.suite for board in chosen))
            yield (
                f"{size}: seeds {seeds}, fits of {frames} frames, {videos} test videos or images in {groups} groups; "
                f"{names}.  "
            )


def digests(folders: Sequence[Path]) -> str:
    """Hash the boards' results, for a comment that dates the table.

    Raises:
        DataError: when one cannot be read.
    """
    lines = []
    for folder in sorted(folders, key=lambda one: one.name):
        try:
            content = (folder / NAME).read_text(encoding="utf-8")  # text, because line ends vary
        except OSError as error:
            msg = f"{folder / NAME} cannot be read ({error.strerror}); `harness leaderboard SUITE` writes it"
            raise DataError(msg) from error
        lines.append(f"{folder.name} {hashlib.sha256(content.encode()).hexdigest()[:12]}")
    return f"<!-- of {', '.join(lines)} -->"


def _range(numbers: set[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _cell(side: Side, board: Board) -> tuple[Metric | None, BoardCell | None]:
    """Find the metric and the cell of a side; an older board may lack it."""
    for row in board.rows:
        for column in board.columns:
            if side.selects(row.identity, column.evaluator):
                return column.metric, row.cell(column)
    return None, None


def _without_size(choice: Choice) -> Choice:
    return Choice(name=choice.name, options={k: v for k, v in choice.options.items() if k not in OF_SIZE})


def load_boards(folders: Sequence[Path]) -> dict[str, Board]:
    """Read the boards of claims suites, by the name of their suite.

    Raises:
        DataError: when one cannot be read.
        UsageError: when one is of another suite, or two are of the same.
    """
    known = {side.suite for claim in claims() for pair in claim.pairs for side in (pair.one, pair.other)}
    boards: dict[str, Board] = {}
    for folder in folders:
        board = load_results(folder / NAME)
        if board.suite.removesuffix(MINI) not in known:
            msg = f"{folder}: expected a board of a claims suite, got one of {board.suite!r}"
            raise UsageError(msg)
        if board.suite in boards:
            msg = f"{folder}: a second board of suite {board.suite!r}; give one"
            raise UsageError(msg)
        boards[board.suite] = board
    return boards


def filled(readme: str, content: str) -> str:
    r"""Put `content` between the two comments of a README.

    Raises:
        UsageError: when it does not have both, in order.

    >>> filled(f"a\n{BEGIN}\nold\n{END}\nb\n", "new") == f"a\n{BEGIN}\n\nnew\n\n{END}\nb\n"
    True
    """
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        msg = f"the README lacks the lines {BEGIN} and {END}, between which the claims are written"
        raise UsageError(msg)
    return f"{head}{BEGIN}\n\n{content.strip()}\n\n{END}{tail}"


def main(arguments: Sequence[str]) -> None:
    """Print the table of claims, or write it into a README."""
    parser = argparse.ArgumentParser(prog="python -m harness_temporal_coherency.claims", description=main.__doc__)
    parser.add_argument("boards", nargs="+", type=Path, help="folders of boards of the claims suites")
    parser.add_argument("--readme", type=Path, help="write between its comments, rather than print")
    options = parser.parse_args(arguments)
    content = f"{table(load_boards(options.boards), claims())}\n{digests(options.boards)}"
    if options.readme is None:
        sys.stdout.write(content + "\n")
    else:
        write_text(options.readme, filled(options.readme.read_text("utf-8"), content))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except HarnessError as problem:
        progress.say(f"claims: {problem}")
        sys.exit(problem.exit_code)
