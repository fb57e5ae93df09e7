"""Orders units, shares them with other processes by locks, and reports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import filelock

from harness.execution import units
from harness.store.records import EvalSpec, Run
from harness.store.runs import Store
from harness.system import progress

if TYPE_CHECKING:
    from harness.execution.plan import Plan
    from harness.execution.units import Workshop


class Executor:
    """Computes the cells of a plan that the store does not have.

    Args:
        workshop: where the work is done; several processes may share its store.
    """

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._store = Store(workshop.workplace.store)

    def execute(self, plan: Plan, *, retry_failed: bool = False) -> list[Run]:
        """Compute what is not stored; the run of every applicable cell, in order.

        Args:
            plan: what to compute.
            retry_failed: whether cells whose stored run failed are computed again.
        """
        retried = {run.key for run in self._runs(plan.cells) if run.status != "done"} if retry_failed else set()

        def pending(cells: Iterable[EvalSpec]) -> list[EvalSpec]:
            stored = {run.key for run in self._runs(cells)} - retried
            waiting = {cell.key: cell for cell in cells if cell.key not in stored and not cell.not_applicable}
            return list(waiting.values())

        waiting = {key: todo for key, cells in plan.rows().items() if (todo := pending(cells))}
        with progress.bar(f"suite {plan.suite.name}", total=sum(map(len, waiting.values()))) as bar:
            while waiting:
                key = self._claim(waiting)
                cells = waiting.pop(key)
                with self._locked(cells):
                    todo = pending(cells)
                    bar.advance(len(cells) - len(todo))
                    for run in self._measure(todo):
                        retried.discard(run.key)
                        bar.advance()
        return self._runs(plan.cells)

    def _runs(self, cells: Iterable[EvalSpec]) -> list[Run]:
        runs = (self._store.get(cell.key) for cell in cells)
        return [run for run in runs if run is not None]

    @contextlib.contextmanager
    def _locked(self, cells: Sequence[EvalSpec], timeout: float = -1) -> Iterator[None]:
        """Lock the fits of a row, in one order: rows that share one share its features.

        Raises:
            filelock.Timeout: when another process is at one of them for longer than `timeout` seconds.
        """
        folder = self._store.folder / "locks"
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            for key in sorted({fit.key for fit in cells[0].row.fits}):
                lock = filelock.FileLock(folder / f"{key}.lock", is_singleton=True)
                stack.enter_context(lock.acquire(timeout=timeout))
            yield

    def _claim(self, waiting: dict[str, list[EvalSpec]]) -> str:
        """A row that no other process is at; when all are taken, the first, to wait for."""
        for key, cells in waiting.items():
            with contextlib.suppress(filelock.Timeout), self._locked(cells, timeout=0):
                return key
        return next(iter(waiting))

    def _measure(self, cells: list[EvalSpec]) -> Iterator[Run]:
        """Fit once, then evaluate and store every cell of one row.

        A fit that fails is the failure of each cell.
        """
        if not cells:
            return
        title = cells[0].row.label
        with progress.bar(title, total=len(cells)) as bar:
            failure = units.attempt_fits(cells[0].row, self._workshop)
            if failure is not None:
                progress.say(f"{title}: {failure.status}: {failure.reason}")
            for cell in cells:
                yield self._store_run(cell, failure, title)
                bar.advance(note=cell.identity.evaluator.label)

    def _store_run(self, cell: EvalSpec, failure: units.Failure | None, title: str) -> Run:
        plugins = self._workshop.plugins
        for complaint in plugins.run_started(cell):
            progress.say(complaint)
        outcome = units.attempt(cell, self._workshop, failure)
        run = outcome.run
        if failure is None and run.status != "done":
            progress.say(f"{title} / {cell.identity.evaluator.label}: {run.status}: {run.reason}")
        self._store.write(run, outcome.pictures)
        for complaint in plugins.run_finished(cell, run):
            progress.say(complaint)
        return run
