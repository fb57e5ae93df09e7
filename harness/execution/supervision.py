"""Units done in child processes, whose deaths are failures of their cells alone."""

from __future__ import annotations

import contextlib
import shlex
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError
from harness.execution import work
from harness.execution.failures import Failure
from harness.execution.outcomes import Outcome, new_run
from harness.store.fits import curves, is_stored
from harness.store.records import Run
from harness.system import progress
from harness.system.children import Child, DiedError, Limits, preload
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.execution.units import Workplace
    from harness.execution.work_units import Unit
    from harness.store.specs import EvalSpec


PRELOADED = "harness.execution.preloaded"
"""Module that the server of children imports before it forks."""


@dataclass(frozen=True, slots=True)
class Recorder:
    """Receivers of what happens to the cells of a unit."""

    begun: Callable[[EvalSpec], None]
    """Told when the evaluation of a cell begins."""
    finished: Callable[[EvalSpec, Outcome], None]
    """Given the run of a cell, with what lies beside it."""


class Supervisor:
    """Starts the children of units, and ends them when it is stopped.

    Several threads may do units by one.

    Args:
        limits: of every child.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        preload(PRELOADED)
        self._limits = limits or Limits()
        self._children: set[Child] = set()
        self._described: dict[tuple[frozenset[str], str], dict[str, Any]] = {}
        self._lock = threading.Lock()
        self._stopped = False

    def do(self, unit: Unit, workplace: Workplace, recorder: Recorder, failed: Failure | None = None) -> Failure | None:
        """Fit and evaluate; what goes wrong is recorded.

        Args:
            unit: the work.
            workplace: where it is done.
            recorder: told of the cells.
            failed: failure of a fit that it depends on; of no account where its own is stored.

        Returns:
            The failure of its fit.

        Raises:
            StoreError: when the store cannot be read or written.
            DiedError: when the supervisor was stopped.
        """
        with progress.bar(unit.row.label, total=len(unit.evaluations)) as bar:
            failure = None if _is_fitted(unit, workplace) else failed or self._fit(unit, workplace)
            if failure is not None:
                progress.say(f"{unit.row.label}: {failure.status}: {failure.reason}")
                self._fail(unit.evaluations, failure, unit, workplace, recorder)
                return failure
            for plugins, cells in unit.groups():
                self._evaluate(cells, plugins, unit, workplace, _advancing(recorder, bar))
        return None

    def stop(self) -> None:
        """End all children; nothing of theirs is recorded."""
        with self._lock:
            self._stopped = True
            children = list(self._children)
        for child in children:
            child.kill()

    def _fit(self, unit: Unit, workplace: Workplace) -> Failure | None:
        fit = unit.fit
        if fit is None:
            return None
        try:
            failure: Failure | None = self._call(work.fit, fit, unit.along, unit.plugins, workplace)
        except (DiedError, RuntimeError) as error:
            failure = self._failure(error)
        if (log := curves(workplace.store / "fits" / fit.key)) is not None:
            progress.say(f"{fit.label}: tensorboard --logdir {shlex.quote(str(log))}")
        return failure

    def _evaluate(
        self,
        cells: Sequence[EvalSpec],
        plugins: frozenset[str],
        unit: Unit,
        workplace: Workplace,
        recorder: Recorder,
    ) -> None:
        """Evaluate cells in one child, and in others those that it leaves."""
        left, limits = list(cells), replace(self._limits, hours=None)
        while left:
            here = tuple(left)
            try:
                with self._child(work.evaluate, here, plugins, workplace, limits=limits) as child:
                    for message in child.messages():
                        cell = here[message.cell]
                        if isinstance(message, work.Begun):
                            recorder.begun(cell)
                            continue
                        left.remove(cell)
                        outcome = message.outcome
                        if isinstance(outcome, Failure):
                            self._say(cell, outcome)
                            self._fail([cell], outcome, unit, workplace, recorder)
                        else:
                            run = Run.model_validate_json(outcome.run)
                            recorder.finished(cell, Outcome(run, outcome.pictures, outcome.class_scores))
            except (DiedError, RuntimeError) as error:
                failure = self._failure(error)
                if left:
                    self._say(left[0], failure)
                    self._fail([left.pop(0)], failure, unit, workplace, recorder)

    def _say(self, cell: EvalSpec, failure: Failure) -> None:
        progress.say(f"{cell.row.label} / {cell.identity.evaluator.label}: {failure.status}: {failure.reason}")

    def _fail(
        self, cells: Sequence[EvalSpec], failure: Failure, unit: Unit, workplace: Workplace, recorder: Recorder
    ) -> None:
        """Record a failure of cells."""
        for cell in cells:
            provenance = self._provenance(unit.evaluators[cell.key], workplace)
            run = new_run(cell, status=failure.status, reason=failure.reason, provenance=provenance)
            recorder.finished(cell, Outcome(run))

    def _provenance(self, plugins: frozenset[str], workplace: Workplace) -> dict[str, Any]:
        """Provenance of a failed cell, also where its plugins cannot even be loaded."""
        for loaded in (plugins, frozenset[str]()):
            if (loaded, workplace.device) not in self._described:
                try:
                    described = self._call(work.describe, loaded, workplace)
                except (DiedError, HarnessError, RuntimeError):
                    self._expect_going_on()
                    continue
                self._described[loaded, workplace.device] = described
            return self._described[loaded, workplace.device]
        return {}

    def _call(self, *work: Any) -> Any:
        with self._child(*work, limits=self._limits) as child:
            return child.only_answer()

    @contextlib.contextmanager
    def _child(self, function: Callable[..., None], *arguments: Any, limits: Limits) -> Iterator[Child]:
        place: Workplace = arguments[-1]
        with self._lock:
            self._expect_going_on()
            child = Child(function, *arguments, threads=place.threads, processors=place.processors, limits=limits)
            self._children.add(child)
        try:
            with child:
                yield child
        finally:
            with self._lock:
                self._children.discard(child)

    def _expect_going_on(self) -> None:
        if self._stopped:
            msg = "stopped"
            raise DiedError(msg)

    def _failure(self, error: DiedError | RuntimeError) -> Failure:
        """The failure of a child that died, unless it was made to."""
        if self._stopped:
            raise error
        if isinstance(error, DiedError):
            return Failure(error.status, str(error))
        return Failure("failed", printable(str(error).strip().rpartition("\n")[2]))


def _is_fitted(unit: Unit, workplace: Workplace) -> bool:
    return unit.fit is not None and is_stored(workplace.store / "fits" / unit.fit.key)


def _advancing(recorder: Recorder, bar: progress.Bar) -> Recorder:
    def finished(cell: EvalSpec, outcome: Outcome) -> None:
        recorder.finished(cell, outcome)
        bar.advance(note=cell.identity.evaluator.label)

    return replace(recorder, finished=finished)
