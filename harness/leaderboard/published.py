"""Published numbers, shown only beside runs of the same data and protocol."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from harness.cards import Paper
from harness.errors import PluginError, UsageError
from harness.leaderboard import text
from harness.leaderboard.board import Board
from harness.leaderboard.table import Column
from harness.plugins.manager import Plugins
from harness.store.choices import Choice
from harness.suites.folds import FOLD, folds
from harness.suites.references import Reference
from harness.system import progress

EXPLAINED = (
    "The papers' own runs of the same data and protocol, not runs of this harness; they are in no rank, interval or "
    "test."
)


@dataclasses.dataclass(frozen=True, slots=True)
class PublishedNumber:
    """A published number as text."""

    method: str
    value: str
    """Value and standard deviation: `3.56 ± 0.01`."""
    backbone: str
    pretraining: str
    table: str
    note: str
    """Empty where all numbers of the paper have the same."""


@dataclasses.dataclass(frozen=True, slots=True)
class PaperNumbers:
    """The numbers of one paper in one metric."""

    paper: Paper
    metric: str
    note: str
    """The note that all numbers share."""
    numbers: tuple[PublishedNumber, ...]


def with_references(
    board: Board, references: Sequence[Reference], same: Callable[[Reference, Choice, Choice], bool]
) -> Board:
    """Add the references that stand beside a finished run of a whole copy of the data.

    Args:
        board: whose runs.
        references: all that are known.
        same: whether a reference is of this evaluator and this data set.
    """
    beside = [
        reference.model_copy(update={"evaluator": column.evaluator, "data": column.data})
        for column in board.columns
        for reference in references
        if _measured(column, reference.metric) and same(reference, column.evaluator, column.data)
    ]
    return dataclasses.replace(board, references=tuple(beside))


def _measured(column: Column, metric_id: str) -> bool:
    """Check for a run with this metric that is done and saw all of its data."""
    metric = next((metric for metric in column.card.metrics if metric.id == metric_id), None)
    if metric is None:
        return False
    cells = [cell for cell in column.cells if cell.summary(metric).interval is not None]
    runs = [seed.run for cell in cells for seed in cell.seeds if seed.run is not None and seed.status == "done"]
    return any(run.score(metric_id) is not None and not run.protocol.get("coverage") for run in runs)


def as_measured(reference: Reference, evaluator: Choice, data: Choice) -> bool:
    """Match a reference that has been on a board: it names both as the board does."""
    return (reference.evaluator, reference.data) == (evaluator, data)


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
            return self._plugins.evaluators.completed(choice.name, choice.options)
        options = [self._plugins.datasets.completed(one.name, one.options) for one in folds(choice)]
        return options[0] if len(options) == 1 else {**options[0], FOLD: choice.options[FOLD]}


def published_in(board: Board, column: Column) -> tuple[PaperNumbers, ...]:
    """Collect the published numbers of a column, those of one paper together."""
    metrics = {metric.id: text.metric_heading(metric) for metric in column.card.metrics}
    papers: dict[tuple[Paper, str], list[Reference]] = {}
    for reference in board.references:
        if as_measured(reference, column.evaluator, column.data):
            papers.setdefault((reference.paper, metrics[reference.metric]), []).append(reference)
    return tuple(_paper_numbers(*key, references) for key, references in papers.items())


def _paper_numbers(paper: Paper, metric: str, references: Sequence[Reference]) -> PaperNumbers:
    notes = {reference.note for reference in references}
    shared = notes.pop() if len(notes) == 1 else ""
    numbers = [
        PublishedNumber(
            method=reference.method,
            value=printed(reference),
            backbone=reference.backbone,
            pretraining=reference.pretraining,
            table=reference.table,
            note="" if reference.note == shared else reference.note,
        )
        for reference in references
    ]
    return PaperNumbers(paper, metric, shared, tuple(numbers))


def printed(reference: Reference) -> str:
    """Format value and standard deviation with equal decimals: `2.00 ± 0.07`."""
    numbers = [reference.value] if reference.std is None else [reference.value, reference.std]
    digits = max(_decimals(number) for number in numbers)
    return " ± ".join(f"{number:.{digits}f}" for number in numbers)


def _decimals(number: float) -> int:
    exponent = Decimal(str(number)).normalize().as_tuple().exponent
    return max(0, -int(exponent))
