"""Published numbers beside a column's own: only where a run of the board measured the same data and protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from harness.cards import Paper
from harness.errors import PluginError, UsageError
from harness.execution.plan import LAYER
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.table import Column
from harness.plugins.manager import Plugins
from harness.store.records import Choice
from harness.suites.references import Reference
from harness.system import progress

EXPLAINED = (
    "The papers' own runs of the same data and protocol, not runs of this harness; they are in no rank, interval or "
    "test."
)


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """A number as text: `3.56 ± 0.01`."""

    method: str
    value: str
    backbone: str
    pretraining: str
    table: str
    note: str
    """Empty where all lines of the source have the same."""


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """What one paper says in one metric."""

    paper: Paper
    metric: str
    note: str
    """What holds for all lines."""
    lines: tuple[Line, ...]


def with_references(
    board: Board, references: Sequence[Reference], same: Callable[[Reference, Choice, Choice], bool]
) -> Board:
    """`board` with those references that stand beside something: a run that is done, of a whole copy of the same data.

    Args:
        board: whose runs.
        references: all that are known.
        same: whether a reference is of this evaluator and this data set.
    """
    found = [
        reference.model_copy(update={"evaluator": column.evaluator, "data": column.data})
        for j, column in enumerate(board.columns)
        for reference in references
        if _measured(board, j, reference.metric) and same(reference, column.evaluator, column.data)
    ]
    return dataclasses.replace(board, references=tuple(found))


class Matcher:
    """Match published references with the columns of a board.

    They match when evaluator and data set have the same names, and the same options once those that were not given
    stand at the constructor's defaults.

    Args:
        plugins: where names are looked up.
    """

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins
        self._options_of: dict[tuple[str, str], dict[str, Any] | None] = {}

    def same(self, reference: Reference, evaluator: Choice, data: Choice) -> bool:
        """Compare a reference's protocol and data with those of a column.

        One whose options have a wrong type matches nothing, which is said once on stderr.
        """
        if (reference.evaluator.name, reference.data.name) != (evaluator.name, data.name):
            return False
        pairs = (("evaluator", reference.evaluator, evaluator), ("data set", reference.data, data))
        options = [(self._options(kind, theirs), self._options(kind, ours)) for kind, theirs, ours in pairs]
        return all(theirs is not None and theirs == ours for theirs, ours in options)

    def _options(self, kind: str, choice: Choice) -> dict[str, Any] | None:
        """All options of `choice`, given or not; None where one has the wrong type."""
        key = (kind, choice.model_dump_json())
        if key not in self._options_of:
            try:
                self._options_of[key] = self._completed(kind, choice)
            except (UsageError, PluginError) as error:
                progress.say(f"references of {choice.label} are not shown: {error}")
                self._options_of[key] = None
        return self._options_of[key]

    def _completed(self, kind: str, choice: Choice) -> dict[str, Any]:
        if kind == "evaluator":
            return {LAYER: None, **self._plugins.evaluators.completed(choice.name, choice.options)}
        return self._plugins.datasets.completed(choice.name, choice.options)


def as_measured(reference: Reference, evaluator: Choice, data: Choice) -> bool:
    """Whether a reference that has been on a board is of this evaluator and data set: it names them as the board."""
    return (reference.evaluator, reference.data) == (evaluator, data)


def sources(board: Board, column: Column) -> tuple[Source, ...]:
    """The published numbers of a column, those of one paper together."""
    metrics = {metric.id: text.measured(metric) for metric in column.card.metrics}
    papers: dict[tuple[Paper, str], list[Reference]] = {}
    for one in board.references:
        if as_measured(one, column.evaluator, column.data):
            papers.setdefault((one.paper, metrics[one.metric]), []).append(one)
    return tuple(_source(*key, members) for key, members in papers.items())


def _source(paper: Paper, metric: str, members: Sequence[Reference]) -> Source:
    notes = {one.note for one in members}
    shared = notes.pop() if len(notes) == 1 else ""
    lines = [
        Line(one.method, value(one), one.backbone, one.pretraining, one.table, "" if one.note == shared else one.note)
        for one in members
    ]
    return Source(paper, metric, shared, tuple(lines))


def value(reference: Reference) -> str:
    """Value and standard deviation with the decimals of the finer of both: `2.00 ± 0.07`."""
    printed = [reference.value] if reference.std is None else [reference.value, reference.std]
    digits = max(_decimals(number) for number in printed)
    return " ± ".join(f"{number:.{digits}f}" for number in printed)


def _decimals(number: float) -> int:
    exponent = Decimal(str(number)).normalize().as_tuple().exponent
    return max(0, -int(exponent))


def _measured(board: Board, j: int, metric: str) -> bool:
    """Whether the board shows this metric in column `j`, from a run that is done and saw all of its data."""
    ids = [known.id for known in board.columns[j].card.metrics]
    if metric not in ids:
        return False
    shown = [cell for row in board.rows if (cell := row.cells[j]).measure(ids.index(metric)).interval is not None]
    runs = [seed.run for cell in shown for seed in cell.seeds if seed.run is not None and seed.status == "done"]
    return any(run.score(metric) is not None and not run.protocol.get("coverage") for run in runs)
