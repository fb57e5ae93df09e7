"""Compute, list and verify the cells of suites."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.boards import board_of_plan
from harness.api.loading import checked_suite
from harness.errors import UsageError
from harness.execution.answers import expect_answers
from harness.execution.cells import measured_by
from harness.execution.pending import done_again
from harness.execution.plan import Planner, identities, plan_cell, plan_suite
from harness.execution.plugin_process import Job, PluginProcess
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store.faults import expect_usable
from harness.store.runs import Store
from harness.suites.command import run_command
from harness.system import paths, progress
from harness.system.children import Limits
from harness.system.devices import named_device, usable_device
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.execution.verification import Verdict
    from harness.leaderboard import Board
    from harness.store.choices import Choice
    from harness.store.records import CellSpec, Run


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Runs of a suite, one for each applicable cell, and the board of them."""

    runs: tuple[Run, ...]
    board: Board
    lacking: tuple[CellSpec, ...] = ()
    """Applicable cells of which the store has no run, though they were to be computed."""


@dataclass(frozen=True, slots=True)
class PlannedCell:
    """A cell of a suite before anything is computed."""

    identity: CellSpec
    key: str
    """Run key; empty where the data is not drawn yet."""
    state: str
    """`to do`, the status of the stored run, or the reason why there is none.

    Of a share that the stored fit did not keep, `to do` with what is done again.
    """


def run(
    suite: str | Path,
    *,
    changes: Sequence[str] = (),
    store: Store | None = None,
    device: str = "cpu",
    jobs: int | None = None,
    workers: int | None = None,
    only: Sequence[str] = (),
    dask: str | None = None,
    block: Sequence[str] = (),
    strict: bool = False,
    retry_failed: bool = False,
    verify_data: bool = False,
    download: bool = False,
    compiled: bool = False,
) -> SuiteResult:
    """Compute the cells of a suite that the store lacks; `publish` writes the board.

    Fits and evaluations take place in processes of their own, as do the plugins' hooks: none is imported here.

    Args:
        suite: name of a suite, or a .yaml file.
        changes: `KEY=VALUE` as `--set` takes them.
        store: where the runs are; the user's own unless given.
        device: "cpu", "cuda", "cuda:N", or "auto": a GPU where this machine, or a worker of the scheduler, has one.
        jobs: rows that are computed at a time; one on each GPU, or as many as processors and memory allow, when None.
        workers: processes and threads that read videos for each row; its share of the processors when None.
        only: names of evaluators whose cells are computed; the board shows what is stored of the others. All of the
            suite when empty.
        dask: address of a scheduler whose workers compute, or "local" for `jobs` workers here.
        block: plugins that are not loaded.
        strict: whether a plugin that does not load is an error.
        retry_failed: whether cells whose stored run failed are computed again.
        verify_data: whether every file is hashed again, also one whose size, times and inode are as they were.
        download: whether weights of libraries that are not here are fetched.
        compiled: whether fits train what `torch.compile` makes of their losses.

    Raises:
        UsageError: when the suite, one of its names or an option is unknown or wrong, it has no such evaluator, or more
            jobs or threads are asked for than there are processors here, or the device is not here.
        PluginError: when a distribution that the suite requires is not installed.
        DataError: when data cannot be read.
        StoreError: when the store cannot be read or written.
    """
    from harness.execution.cluster import LOCAL, ClusterExecutor, device_of_workers, scheduler
    from harness.execution.executor import Executor
    from harness.execution.workplaces import workplaces

    store = Store(paths.store()) if store is None else store
    expect_usable(store.folder)
    device = usable_device(device) if dask in (None, LOCAL) else named_device(device)
    with contextlib.ExitStack() as stack:
        cluster = None
        if dask is not None:
            count = len(workplaces(store=store.folder, device=device, jobs=jobs, elsewhere=dask != LOCAL))
            cluster = stack.enter_context(scheduler(dask, jobs=count, device=device))
            device = device_of_workers(cluster.address) if device == "auto" else device
        job = Job(
            load=functools.partial(checked_suite, suite, tuple(changes), download=download),
            board=functools.partial(board_of_plan, store=store, command=run_command(suite, changes)),
            block=tuple(block),
            strict=strict,
            verify_data=verify_data,
            scheduler=cluster.address if cluster else "",
        )
        plugin_process = stack.enter_context(PluginProcess(job))
        planned = plugin_process.plan()
        loaded = planned.plan.suite
        places = workplaces(
            store=store.folder,
            device=device,
            locations=loaded.paths,
            threads=loaded.threads,
            jobs=jobs,
            workers=workers,
            compiled=compiled,
            elsewhere=dask not in (None, LOCAL),
        )
        limits = Limits(hours=loaded.limits.fit_hours, memory_gb=loaded.limits.memory_gb)
        executor: Executor | ClusterExecutor
        if cluster:
            cluster.scale(len(places))  # as many as the suite's threads leave room for
            place = replace(places[0], scheduler=cluster.address, variables=paths.variables())
            devices = [one.device for one in places] if dask == LOCAL else []
            executor = ClusterExecutor(cluster.address, place, limits=limits, told=plugin_process.tell, devices=devices)
        else:
            executor = Executor(places, limits=limits, told=plugin_process.tell)
        cells = measured_by(planned.plan.cells, only)
        keys = {cell.key for cell in cells}
        units = [unit.only(keys) for unit in planned.units]
        executor.execute(units, title=f"suite {loaded.name}", retry_failed=retry_failed)
        runs = [(cell, store.get(cell.key)) for cell in cells if not cell.not_applicable]
        lacking = tuple(cell.identity for cell, run in runs if run is None)
        if lacking:
            progress.say(
                f"{len(lacking)} of {len(runs)} cells have no run in {printable(str(store.folder))} in the end; "
                "run again, and with --dask see that the workers have this folder at the same path"
            )
        return SuiteResult(tuple(run for _, run in runs if run is not None), plugin_process.board(), lacking)


def plan(
    suite: str | Path,
    *,
    changes: Sequence[str] = (),
    only: Sequence[str] = (),
    plugins: Plugins | None = None,
    store: Store | None = None,
) -> tuple[PlannedCell, ...]:
    """List the cells of a suite with the state of each; draw and compute nothing.

    Raises:
        UsageError, PluginError, DataError: as `run`.
    """
    plugins = Plugins() if plugins is None else plugins
    loaded = checked_suite(suite, changes, plugins)
    sources = DataSources(plugins, loaded.paths)
    store = Store(paths.store()) if store is None else store
    planner, ready = Planner(plugins, sources, loaded.view), _readiness(sources)
    known = tuple(identities(loaded, plugins))
    if all(ready(cell.data) for cell in known):
        expect_answers(known, plugins, sources)
    cells = tuple(_planned_cell(identity, planner, ready, store) for identity in known)
    return measured_by(cells, only)


def verify(
    source: str | Path | Sequence[str],
    *,
    changes: Sequence[str] = (),
    sample: int | None = None,
    threads: int | None = None,
    plugins: Plugins | None = None,
    store: Store | None = None,
    device: str = "cpu",
) -> tuple[Verdict, ...]:
    """Compute stored runs again from nothing, in temporary stores, and compare.

    Args:
        source: name of a suite, a .yaml file, or keys of runs, of which the first digits are enough.
        changes: `KEY=VALUE` as `--set` takes them; of a suite.
        sample: how many runs to draw at random; all when None.
        threads: that libraries compute with; those of each stored run when None.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.
        device: "cpu", "cuda" or "cuda:N", or "auto", a GPU where there is one.

    Raises:
        UsageError: when the suite or a key is unknown, the device is not here, no run of it is stored, code or data are
            others by now, or keys are given with changes.
        PluginError, DataError: as `run`.
    """
    from harness.execution import verification

    device = usable_device(device)
    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    names = [str(source)] if isinstance(source, str | Path) else list(source)
    locations: Mapping[str, Path] = {}
    if len(names) == 1 and (names[0] in plugins.suites or Path(names[0]).suffix in {".yaml", ".yml"}):
        suite = checked_suite(names[0], changes, plugins)
        locations = suite.paths
        planned = plan_suite(suite, plugins, DataSources(plugins, locations)).cells
        stored = [(cell, run) for cell in planned if (run := store.get(cell.key)) is not None]
        if not stored:
            msg = f"suite {suite.name!r}: no run of it is stored; compute them with `{run_command(names[0], changes)}`"
            raise UsageError(msg)
    else:
        if changes:
            msg = f"--set changes a suite, and {', '.join(names)} is none; leave it out, or give the suite"
            raise UsageError(msg)
        sources = DataSources(plugins)
        runs = [store.find(name) for name in names]
        stored = [(plan_cell(run.identity, plugins, sources), run) for run in runs]
        for cell, run in stored:
            if cell.key != run.key:
                msg = f"run {run.key}: code or data are others than it was made with; run its suite again"
                raise UsageError(msg)
    return verification.verify(stored, plugins, sample=sample, threads=threads, device=device, locations=locations)


def _readiness(sources: DataSources) -> Callable[[Choice], bool]:
    """Tell of each data set, looked at once, whether it is read without drawing."""
    known: dict[str, bool] = {}

    def ready(data: Choice) -> bool:
        name = data.model_dump_json()
        if name not in known:
            known[name] = sources.ready(data)
        return known[name]

    return ready


def _planned_cell(identity: CellSpec, planner: Planner, ready: Callable[[Choice], bool], store: Store) -> PlannedCell:
    learnt = () if identity.pretraining is None else (identity.pretraining,)
    if not all(map(ready, (*learnt, *identity.further_data, identity.data))):
        return PlannedCell(identity, "", "data not drawn yet")
    cell = planner.cell(identity)
    if cell.not_applicable:
        return PlannedCell(identity, cell.key, f"not applicable: {cell.not_applicable}")
    todo = "to do, with its fit again" if done_again(cell.row, store.folder) else "to do"
    return PlannedCell(identity, cell.key, store.status(cell.key) or todo)
