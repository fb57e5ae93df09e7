"""Table of a paper's claims, computed from the boards of its suites."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, UsageError
from harness.leaderboard.board import Board
from harness.leaderboard.claims import MINI, Claim, Measured, Pair, measure, verdict
from harness.leaderboard.results_file import NAME, load_results

BEGIN, END = "<!-- claims: begin -->", "<!-- claims: end -->"
SIZES = {"full": "", "mini": MINI}
"""Endings of the suites' names by the size of their data."""
_DIGITS = {"%": 1, "1": 3}


@dataclass(frozen=True, slots=True)
class MeasuredPair:
    """A pair of a claim with its measurement on each size of the data."""

    claim: Claim
    pair: Pair
    results: Mapping[str, Measured | None]


def measure_claims(claims: Sequence[Claim], boards: Mapping[str, Board]) -> tuple[MeasuredPair, ...]:
    """Measure every pair of the claims on boards by the name of their suite.

    Raises:
        UsageError, DataError: as in `measure`.
    """
    return tuple(
        MeasuredPair(claim, pair, {size: measure(pair, boards, ending) for size, ending in SIZES.items()})
        for claim in claims
        for pair in claim.pairs
    )


def load_boards(folders: Sequence[Path], claims: Sequence[Claim]) -> dict[str, Board]:
    """Read the boards of the claims' suites, by the name of their suite.

    Raises:
        DataError: when one cannot be read.
        UsageError: when one is of another suite, or two are of the same.
    """
    known = {side.suite for claim in claims for pair in claim.pairs for side in pair.sides}
    boards: dict[str, Board] = {}
    for folder in folders:
        board = load_results(folder / NAME)
        if board.suite.removesuffix(MINI) not in known:
            msg = f"{folder}: expected a board of a suite that the claims name, got one of {board.suite!r}"
            raise UsageError(msg)
        if board.suite in boards:
            msg = f"{folder}: a second board of suite {board.suite!r}; give one"
            raise UsageError(msg)
        boards[board.suite] = board
    return boards


def table(pairs: Sequence[MeasuredPair], boards: Mapping[str, Board]) -> str:
    """Render the claims as a Markdown table, full and mini side by side."""
    used: dict[str, Board] = {}
    lines = ["| claim | of | paper | full | mini |", "| --- | --- | --- | --- | --- |"]
    last = None
    for one in pairs:
        pair = one.pair
        names = [side.suite + SIZES[size] for size, result in one.results.items() if result for side in pair.sides]
        used |= {suite: boards[suite] for suite in names}
        cells = " | ".join(_shown(result, pair) for result in one.results.values())
        name = "" if one.claim is last else f"{one.claim.claim} ({one.claim.source})"
        of = f"{pair.of} (`{pair.metric}`)" if pair.metric else pair.of
        written = " | ".join(_in_cell(words) for words in (name, of, pair.paper))
        lines.append(f"| {written} | {cells} |")
        last = one.claim
    return "\n".join([*lines, "", *_legend(used)])


def _in_cell(words: str) -> str:
    """Markdown within one cell of a table."""
    return " ".join(words.replace("|", "\\|").split())


def _shown(measured: Measured | None, pair: Pair) -> str:
    if measured is None:
        return "not measured"
    digits = _DIGITS.get(measured.metric.unit, 2)
    said = f"**{_verdict(measured, pair)}**" + (" (ceiling)" if measured.at_ceiling else "")
    one, other = (f"{value:.{digits}f}" for value in (measured.one, measured.other))
    gap = measured.difference
    if gap is None:
        return f"{one}, {other}: no test (too few seeds or groups, or a metric without predictions), {said}"
    return f"{one}, {other}: {gap.mean:+.{digits}f} [{gap.low:+.{digits}f}, {gap.high:+.{digits}f}] {said}"


def _verdict(measured: Measured, pair: Pair) -> str:
    return verdict(measured, within=pair.within, no_worse=pair.no_worse)


def _legend(boards: Mapping[str, Board]) -> Iterator[str]:
    """One line about each size: seeds, budget, and videos and groups of the test sets."""
    for size, ending in SIZES.items():
        chosen = [board for name, board in boards.items() if name.endswith(MINI) is bool(ending)]
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


def _range(numbers: set[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def values(pairs: Sequence[MeasuredPair]) -> list[dict[str, Any]]:
    """Collect all numbers of the table, percent where it shows percent."""
    return [
        {
            "claim": one.claim.claim,
            "source": one.claim.source,
            "of": one.pair.of,
            "paper": one.pair.paper,
            **{size: result and _values(result, one.pair) for size, result in one.results.items()},
        }
        for one in pairs
    ]


def _values(measured: Measured, pair: Pair) -> dict[str, Any]:
    return {
        "metric": measured.metric.id,
        "one": measured.one,
        "other": measured.other,
        "difference": measured.difference and dataclasses.asdict(measured.difference),
        "ceiling": measured.at_ceiling,
        "verdict": _verdict(measured, pair),
    }


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
