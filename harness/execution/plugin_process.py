"""Process with all plugins: plans a suite, hears of runs, builds the board.

So the process of `harness run` itself imports no plugin, and survives each of them.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.datasets import file_index
from harness.errors import PluginError
from harness.execution.file_tasks import shared_with
from harness.execution.plan import Plan, plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import PRELOADED
from harness.execution.work_units import Unit, work_units
from harness.plugins.manager import Plugins
from harness.store.records import Run
from harness.store.specs import EvalSpec
from harness.system import global_state, progress
from harness.system.child_process import Link
from harness.system.children import Child, DiedError, preload

if TYPE_CHECKING:
    from typing_extensions import Self

    from harness.suites.schema import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Suite to be planned, and where its runs are."""

    load: Callable[[Plugins], Suite]
    """Loads and checks the suite; importable."""
    board: Callable[[Plan, DataSources, Plugins], Any]
    """Builds the board of stored runs; importable."""
    block: tuple[str, ...]
    strict: bool
    verify_data: bool
    scheduler: str = ""
    """Address of the Dask scheduler that files are shared with; empty for none."""


@dataclass(frozen=True, slots=True)
class Planned:
    """Plan of a suite as work for other processes."""

    plan: Plan
    units: tuple[Unit, ...]
    listened: bool
    """True if a plugin wants to hear of runs."""


class PluginProcess:
    """The process of a suite's plugins, seen from the one that computes it.

    Args:
        job: what is planned.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        preload(PRELOADED)  # of the server that units share, which starts with this process
        self._lock = threading.Lock()
        self._child: Child | None = None
        self._listened = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._child is not None:
            self._child.stop()

    def plan(self) -> Planned:
        """Plan the suite.

        Raises:
            UsageError, PluginError, DataError: as `harness.api.run`.
        """
        planned: Planned = self._ask("plan")
        self._listened = planned.listened
        return planned

    def tell(self, cell: EvalSpec, run: Run | None) -> None:
        """Tell the plugins of a cell that begins, or of its stored run."""
        with self._lock:
            if not self._listened:
                return
            try:
                for complaint in self._ask("tell", cell, run):
                    progress.say(complaint)
            except (DiedError, RuntimeError) as error:
                self._listened = False
                progress.say(f"the plugins are told of no further run: {error}")

    def board(self) -> Any:
        """Build the board.

        Raises:
            UsageError, PluginError, DataError: as `harness.api.run`.
        """
        return self._ask("board")

    def _ask(self, *question: Any) -> Any:
        begun_before = self._child is not None
        if self._child is None:
            self._child = Child(_serve, self._job)
        try:
            self._child.send(question)
            return self._child.answer()
        except DiedError as error:
            self._child.stop()
            self._child = None
            if question[0] == "tell":
                raise
            if begun_before:  # it may have died of something that it was told
                return self._ask(*question)
            msg = f"{error} while the plugins were loaded or asked; --block NAME finds which one"
            raise PluginError(msg) from error
        except Exception:
            self._child.stop()
            self._child = None
            raise


def _serve(link: Link, job: Job) -> None:
    """Answer questions until the parent has no more."""
    state = global_state.current()
    plugins = Plugins(block=job.block, strict=job.strict)
    for complaint in plugins.complaints:
        progress.say(complaint)
    suite = job.load(plugins)
    global_state.restore(state)  # units read data without what plugins set, and keys are of what they read
    sources = DataSources(plugins, suite.paths)
    with contextlib.ExitStack() as stack:
        if job.verify_data:
            stack.enter_context(file_index.verified())
        if job.scheduler:
            stack.enter_context(shared_with(job.scheduler))
        plan = plan_suite(suite, plugins, sources)
        while True:
            try:
                question, *values = link.receive()
            except EOFError:
                return
            if question == "plan":
                link.send(Planned(plan, work_units(plan.cells, plugins), plugins.listened))
            elif question == "board":
                link.send(job.board(plan, sources, plugins))
            else:
                cell, run = values
                link.send(plugins.run_started(cell) if run is None else plugins.run_finished(cell, run))
