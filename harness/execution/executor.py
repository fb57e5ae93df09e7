"""Orders units, shares them with other processes by locks, stores and reports."""

from __future__ import annotations

import contextlib
import contextvars
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING

import filelock

from harness.execution.outcomes import keep
from harness.execution.pending import PendingUnits, failure_meanwhile
from harness.execution.supervision import Recorder, Supervisor
from harness.store.locks import lock
from harness.store.runs import Store
from harness.system import progress
from harness.video.shared_frames import shared_folder

if TYPE_CHECKING:
    from harness.execution.failures import Failure
    from harness.execution.outcomes import Outcome
    from harness.execution.units import Workplace
    from harness.execution.work_units import Unit
    from harness.store.records import Run
    from harness.store.specs import EvalSpec
    from harness.system.children import Limits

ELSEWHERE = 0.5
"""Seconds between two looks at units that other processes are at."""

Told = Callable[["EvalSpec", "Run | None"], None]
"""Receiver of a cell that is about to be evaluated, and of it with its stored run."""


class Executor:
    """Computes the cells that the store does not have, several units at a time.

    Args:
        workplaces: where units are done, one at a time in each; of one store, which other processes may share.
        limits: of each child.
        told: of cells; called by one thread at a time.
    """

    def __init__(
        self, workplaces: Iterable[Workplace], *, limits: Limits | None = None, told: Told | None = None
    ) -> None:
        self._free = list(workplaces)
        self._store = Store(self._free[0].store)
        self._limits = limits
        self._told = told or (lambda cell, run: None)

    def execute(self, units: Iterable[Unit], *, title: str, retry_failed: bool = False) -> None:
        """Compute and store what is not stored.

        Args:
            units: each after those that it depends on.
            title: of the work, for the progress.
            retry_failed: whether cells whose stored run failed are computed again.

        Raises:
            StoreError: when the store cannot be read or written.
        """
        pending = PendingUnits(units, self._store, retry_failed=retry_failed)
        self._store.hold()
        supervisor = Supervisor(self._limits)
        running: dict[Future[Failure | None], tuple[Unit, Workplace, filelock.BaseFileLock]] = {}
        with contextlib.ExitStack() as stack:
            stack.enter_context(progress.one_at_a_time())
            bar = stack.enter_context(progress.bar(title, total=pending.cells))
            frames = stack.enter_context(shared_folder())
            self._free = [replace(place, frames=frames) for place in self._free]
            stack.callback(_release, running)
            pool = stack.enter_context(ThreadPoolExecutor(len(self._free), thread_name_prefix="unit"))
            stack.callback(supervisor.stop)  # before the pool waits for its threads
            recorder = self._recorder(bar)

            def begin(unit: Unit, held: filelock.BaseFileLock) -> None:
                todo = pending.take(unit)
                bar.advance(len(unit.evaluations) - len(todo.evaluations))
                place = self._free.pop()
                context = contextvars.copy_context()
                failure = pending.failure_before(unit) or failure_meanwhile(unit, todo, self._store)
                task = pool.submit(context.run, supervisor.do, todo, place, recorder, failure)
                running[task] = unit, place, held

            while pending or running:
                for unit in pending.ready():
                    if not self._free:
                        break
                    if (held := self._locked(unit)) is not None:
                        begin(unit, held)
                if not running:
                    time.sleep(ELSEWHERE)
                for task in wait(running, ELSEWHERE if pending else None, FIRST_COMPLETED).done:
                    unit, place, held = running.pop(task)
                    self._free.append(place)
                    held.release()
                    pending.finish(unit, task.result())

    def _recorder(self, bar: progress.Bar) -> Recorder:
        def finished(cell: EvalSpec, outcome: Outcome) -> None:
            self._told(cell, keep(self._store, outcome))
            bar.advance()

        return Recorder(begun=lambda cell: self._told(cell, None), finished=finished)

    def _locked(self, unit: Unit) -> filelock.BaseFileLock | None:
        """Lock a unit; None when another process is at it."""
        held = lock(self._store.folder, unit.key)
        try:
            held.acquire(timeout=0)
        except filelock.Timeout:
            return None
        return held


def _release(running: Mapping[Future[Failure | None], tuple[Unit, Workplace, filelock.BaseFileLock]]) -> None:
    """Release the locks of interrupted units, for which the next run would wait."""
    for _, _, held in running.values():
        held.release()
