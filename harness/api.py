"""Python interface of the harness, on which the command line is built."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cards import NAME, MethodCard
from harness.errors import DataError, UsageError
from harness.execution.cells import measured_by
from harness.execution.pending import done_again
from harness.execution.plan import Plan, Planner, check, identities, plan_cell, plan_suite
from harness.execution.plugin_process import Job, PluginProcess
from harness.execution.sources import DataSources
from harness.execution.weights_files import fetch_weights
from harness.plugins.manager import Plugins
from harness.store.faults import expect_usable
from harness.store.runs import Store
from harness.suites import schema
from harness.suites.command import run_command
from harness.system import paths, progress
from harness.system.children import Limits
from harness.system.hashing import digest

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.cards import EvaluatorCard
    from harness.execution.merging import Merged
    from harness.execution.verification import Verdict
    from harness.leaderboard import Board, PlannedSuite
    from harness.leaderboard.claims_table import MeasuredPair
    from harness.leaderboard.planned import PlannedCell as BoardCell
    from harness.leaderboard.run_pairs import RunPair
    from harness.store.garbage import Garbage
    from harness.store.records import CellSpec, Choice, EvalSpec, Run
    from harness.suites.schema import Suite


BOARDS = Path("leaderboards")
"""Folder of boards, unless another is given."""
PLACES = {"paths", "threads", "limits"}
"""Keys of a suite that say how it is computed here, and nothing of its content."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """Runs of a suite, one for each applicable cell, and the board of them."""

    runs: tuple[Run, ...]
    board: Board


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
        device: "cpu" or "cuda".
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
            jobs are asked for than there are processors.
        PluginError: when a distribution that the suite requires is not installed.
        DataError: when data cannot be read.
        StoreError: when the store cannot be read or written.
    """
    from harness.execution.cluster import LOCAL, ClusterExecutor, scheduler
    from harness.execution.executor import Executor
    from harness.execution.workplaces import workplaces

    store = Store(paths.store()) if store is None else store
    expect_usable(store.folder)
    with contextlib.ExitStack() as stack:
        address = ""
        if dask is not None:
            count = len(workplaces(store=store.folder, device=device, jobs=jobs))
            address = stack.enter_context(scheduler(dask, jobs=count, device=device))
        job = Job(
            load=functools.partial(_checked_suite, suite, tuple(changes), download=download),
            board=functools.partial(_board_of_plan, store=store, command=run_command(suite, changes)),
            block=tuple(block),
            strict=strict,
            verify_data=verify_data,
            scheduler=address,
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
        )
        limits = Limits(hours=loaded.limits.fit_hours, memory_gb=loaded.limits.memory_gb)
        executor: Executor | ClusterExecutor
        if address:
            processors = places[0].processors if dask == LOCAL else workers  # other machines are others' to divide
            place = replace(places[0], scheduler=address, processors=processors, variables=paths.variables())
            executor = ClusterExecutor(address, place, limits=limits, told=plugin_process.tell)
        else:
            executor = Executor(places, limits=limits, told=plugin_process.tell)
        cells = measured_by(planned.plan.cells, only)
        keys = {cell.key for cell in cells}
        units = [unit.only(keys) for unit in planned.units]
        executor.execute(units, title=f"suite {loaded.name}", retry_failed=retry_failed)
        runs = (store.get(cell.key) for cell in cells)
        return SuiteResult(tuple(run for run in runs if run is not None), plugin_process.board())


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
    loaded = _checked_suite(suite, changes, plugins)
    sources = DataSources(plugins, loaded.paths)
    store = Store(paths.store()) if store is None else store
    planner, ready = Planner(plugins, sources, loaded.view), _readiness(sources)
    cells = tuple(_planned_cell(identity, planner, ready, store) for identity in identities(loaded, plugins))
    return measured_by(cells, only)


def leaderboard(
    source: str | Path, *, changes: Sequence[str] = (), plugins: Plugins | None = None, store: Store | None = None
) -> Board:
    """Build a board from stored runs; `publish` writes it into a folder.

    Where data of the suite is gone, the newest run of each cell is shown, and the board says that keys are unchecked.

    Args:
        source: name of a suite, a .yaml file, or the folder of a board, which is read from its own `results.json`.
        changes: `KEY=VALUE` as `--set` takes them; of a suite.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when the suite, one of its names or an option is unknown or wrong.
        PluginError: when a distribution that the suite requires is not installed.
        DataError: when data cannot be read and no run of it is stored, or the folder holds no board.
    """
    if Path(source).is_dir():
        from harness.leaderboard import load_results

        return load_results(Path(source) / "results.json")
    plugins = Plugins() if plugins is None else plugins
    suite = _checked_suite(source, changes, plugins)
    sources = DataSources(plugins, suite.paths)
    store = Store(paths.store()) if store is None else store
    from harness.leaderboard import plan_readable

    return _board(suite, plan_readable(suite, plugins, sources), sources, plugins, store, run_command(source, changes))


@dataclass(frozen=True, slots=True)
class MeasuredClaims:
    """Claims of a paper, held against boards."""

    pairs: tuple[MeasuredPair, ...]
    """Every pair with its figures on each size of the data."""
    table: str
    """The same in Markdown, with a comment that names the boards."""


def claims(source: str | Path, boards: Sequence[str | Path], *, plugins: Plugins | None = None) -> MeasuredClaims:
    """Hold the claims of a file against boards.

    Args:
        source: a file of claims, as plugins of papers ship it.
        boards: folders of boards of the suites that the claims name; what is on none is not measured.
        plugins: where names are looked up; all that are installed unless given.

    Raises:
        UsageError: when the file is no file of claims, a name or option is unknown, a board is of another suite, two
            are of one, or several cells of a board fit one side of a pair.
        PluginError: when a class cannot be imported.
        DataError: when a board cannot be read, or a pair's cells were not measured on the same videos and seeds.
    """
    from harness.leaderboard import claims_table
    from harness.leaderboard.claims import load_claims

    loaded = load_claims(Path(source), Plugins() if plugins is None else plugins)
    folders = [Path(board) for board in boards]
    boards_of = claims_table.load_boards(folders, loaded)
    pairs = claims_table.measure_claims(loaded, boards_of)
    written = claims_table.table(pairs, boards_of)
    return MeasuredClaims(pairs, f"{written}\n{claims_table.digests(folders)}")


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
        device: "cpu" or "cuda".

    Raises:
        UsageError: when the suite or a key is unknown, no run of it is stored, or code or data are others by now.
        PluginError, DataError: as `run`.
    """
    from harness.execution import verification

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    names = [str(source)] if isinstance(source, str | Path) else list(source)
    locations: Mapping[str, Path] = {}
    if len(names) == 1 and (names[0] in plugins.suites or Path(names[0]).suffix in {".yaml", ".yml"}):
        suite = _checked_suite(names[0], changes, plugins)
        locations = suite.paths
        planned = plan_suite(suite, plugins, DataSources(plugins, locations)).cells
        stored = [(cell, run) for cell in planned if (run := store.get(cell.key)) is not None]
        if not stored:
            msg = f"suite {suite.name!r}: no run of it is stored; compute them with `{run_command(names[0], changes)}`"
            raise UsageError(msg)
    else:
        sources = DataSources(plugins)
        runs = [store.find(name) for name in names]
        stored = [(plan_cell(run.identity, plugins, sources), run) for run in runs]
        for cell, run in stored:
            if cell.key != run.key:
                msg = f"run {run.key}: code or data are others than it was made with; run its suite again"
                raise UsageError(msg)
    return verification.verify(stored, plugins, sample=sample, threads=threads, device=device, locations=locations)


def compare(one: str, other: str, *, plugins: Plugins | None = None, store: Store | None = None) -> RunPair:
    """Compare two stored runs on the same videos: by metric, class, group and video.

    Args:
        one: key of a run, or its first digits.
        other: of the one that is compared with it.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when a key is unknown, a run failed or has no predictions of videos, or the two are of other
            videos or have no metric in common.
    """
    from harness.execution import restore
    from harness.leaderboard.run_pairs import pair_runs

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    runs = store.find(one), store.find(other)
    cards = {name: plugins.evaluators.entry(name).card for name in (run.identity.evaluator.name for run in runs)}
    return pair_runs(*runs, cards, restore.class_names(plugins, runs[0]))


def garbage(
    sources: Sequence[str | Path], *, plugins: Plugins | None = None, store: Store | None = None
) -> tuple[Garbage, ...]:
    """List what the store has beside what suites and boards name.

    `harness.store.garbage.delete` deletes it.

    Of a suite the runs are kept that its board shows, with the fits and features that its cells need; of a board's
    folder its runs and their fits. Suites that are not named should not be running.

    Args:
        sources: names of suites, .yaml files, or folders of boards.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError, PluginError: as `leaderboard`.
        DataError: when data of a suite cannot be read, or the folder holds no board.
        NewerRecordError: when a run is of a newer version.
    """
    from harness.leaderboard import load_results, plan_readable, with_runs
    from harness.leaderboard.kept import kept_keys
    from harness.store.garbage import find_garbage
    from harness.store.records import EvalSpec

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    cells: list[BoardCell] = []
    planned: list[EvalSpec] = []
    for source in sources:
        if Path(source).is_dir():
            cells += load_results(Path(source) / "results.json").planned
        else:
            suite = _checked_suite(source, (), plugins)
            plan = plan_readable(suite, plugins, DataSources(plugins, suite.paths))
            for label, reason in plan.gone.items():
                msg = (
                    f"suite {suite.name!r}: what it needs is unknown without its data ({label}: {reason}); put them "
                    "back, or name the folder of its board"
                )
                raise DataError(msg)
            planned += [cell for cell in plan.cells if isinstance(cell, EvalSpec)]
    cells += with_runs(planned, store)
    return find_garbage(store.folder, kept_keys(cells, planned))


def merge(sources: Sequence[str | Path], *, plugins: Plugins | None = None, store: Store | None = None) -> Merged:
    """Take the runs and fits of other stores, or of archives of `pack`, into this one.

    Args:
        sources: stores, homes of the harness, or archives.
        plugins: where evaluators are looked up; all that are installed unless given.
        store: taken into; the user's own unless given.

    Raises:
        UsageError: when a source is none of these.
        DataError: when an archive cannot be read.
        StoreError: when the store cannot be written.
    """
    from harness.execution import merging

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    expect_usable(store.folder)

    def card_of(name: str) -> EvaluatorCard | None:
        return plugins.evaluators.entry(name).card if name in plugins.evaluators else None

    return merging.merge(store, [Path(source) for source in sources], card_of)


def pack(
    suite: str | Path,
    output: str | Path,
    *,
    changes: Sequence[str] = (),
    plugins: Plugins | None = None,
    store: Store | None = None,
) -> int:
    """Write the stored runs of a suite into an archive; returns their number.

    Predictions and pictures are in it, weights and features not. `merge` takes it into another store.

    Args:
        suite: name of a suite, or a .yaml file.
        output: the archive, a zip.
        changes: `KEY=VALUE` as `--set` takes them.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when the suite is unknown, or none of its cells is stored.
        PluginError, DataError: as `leaderboard`.
    """
    from importlib.metadata import version

    from harness.leaderboard import plan_readable, with_runs
    from harness.store.archive import write_archive

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    loaded = _checked_suite(suite, changes, plugins)
    command = run_command(suite, changes)
    cells = with_runs(plan_readable(loaded, plugins, DataSources(plugins, loaded.paths)).cells, store)
    runs = {cell.run.key: cell.run for cell in cells if cell.run is not None}
    if not runs:
        msg = f"suite {loaded.name!r}: no run of it is stored; compute them with `{command}`"
        raise UsageError(msg)
    about = {"suite": loaded.name, "command": command, "version": version("video-harness")}
    write_archive(Path(output), store, runs.values(), about)
    return len(runs)


def publish(board: Board, folder: Path | None = None) -> Path:
    """Write a board into a folder, `leaderboards/<suite>` unless given.

    Raises:
        DataError: when a run holds NaN or infinity; nothing is written then.
    """
    from harness.leaderboard import render

    folder = folder or BOARDS / board.suite
    render(board, folder)
    return folder


def site(
    boards: Sequence[str | Path],
    folder: Path,
    *,
    before: Path | None = None,
    plugins: Plugins | None = None,
) -> tuple[Path, ...]:
    """Write boards as one static site; returns its files.

    Numbers are those that the boards' `results.json` record; their pages are copied.

    Args:
        boards: folders of boards, or names of suites whose boards lie in `leaderboards/`.
        folder: new, empty, or a site that is written again.
        before: an earlier site, or a folder of boards; a page says what changed since.
        plugins: where summaries and papers of methods are looked up; all that are installed unless given.

    Raises:
        UsageError: when a board is unknown, two have the same folder name, `before` has none, or `folder` has other
            files.
        DataError: when a board cannot be read or lacks a file; nothing is written then.
    """
    from harness.leaderboard.site import Site, earlier_boards, find_board, load_boards, publish_site

    plugins = Plugins() if plugins is None else plugins
    loaded = load_boards([find_board(board, BOARDS) for board in boards])
    cards = {name: plugins.methods.entry(name).card for name in plugins.methods}
    known = {name: card for name, card in cards.items() if isinstance(card, MethodCard)}
    earlier = None if before is None else earlier_boards(before)
    return publish_site(Site(loaded, known, earlier), folder)


class Records(list[dict[str, Any]]):
    """Scores, one mapping each: method, evaluator, metric, value, ..."""

    def frame(self) -> DataFrame:
        """The scores as a DataFrame of pandas, a column for each name.

        Raises:
            UsageError: when pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError:
            msg = "a DataFrame needs pandas: pip install pandas"
            raise UsageError(msg) from None
        return pd.DataFrame(list(self))


def results(
    source: str | Path | None = None,
    *,
    changes: Sequence[str] = (),
    plugins: Plugins | None = None,
    store: Store | None = None,
) -> Records:
    """List the scores of stored runs; a run that failed has one line with its reason.

    Args:
        source: name of a suite, a .yaml file, or the folder of a board; all that the store has when None.
        changes: `KEY=VALUE` as `--set` takes them; of a suite.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError, PluginError, DataError: as `leaderboard`.
    """
    if source is None:
        runs = list(Store(paths.store()) if store is None else store)
    else:
        board = leaderboard(source, changes=changes, plugins=plugins, store=store)
        runs = [cell.run for cell in board.planned if cell.run is not None]
    return Records(record for run in runs for record in _records(run))


def _records(run: Run) -> Iterator[dict[str, Any]]:
    identity = run.identity
    shared = {
        "method": identity.method.label,
        "backbone": identity.backbone.label if identity.backbone else None,
        "pretraining": identity.pretraining.label if identity.pretraining else None,
        "frames": identity.frames,
        "evaluator": identity.evaluator.label,
        "data": identity.data.label,
        "seed": identity.seed,
        "status": run.status,
        "reason": run.reason,
        "supervised": run.supervised,
        "starts": "; ".join(map(str, run.starts)),
        "sees": run.sees,
        "key": run.key,
        "protocol_id": run.protocol_id,
    }
    scores: list[tuple[str, float | None, float | None]]
    scores = [(score.metric, score.value, score.baseline) for score in run.scores] or [("", None, None)]
    for metric, value, baseline in scores:
        yield {**shared, "metric": metric, "value": value, "baseline": baseline}


def _checked_suite(source: str | Path, changes: Sequence[str], plugins: Plugins, *, download: bool = False) -> Suite:
    suite = schema.load(str(source), plugins.suites, changes=changes)
    if download:
        fetch_weights(suite, plugins)
    return check(suite, plugins)


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


def _board_of_plan(plan: Plan, sources: DataSources, plugins: Plugins, store: Store, *, command: str) -> Board:
    """Build the board of a plan."""
    from harness.leaderboard import PlannedSuite

    return _board(plan.suite, PlannedSuite(plan.cells, {}), sources, plugins, store, command)


def _board(
    suite: Suite, planned: PlannedSuite, sources: DataSources, plugins: Plugins, store: Store, command: str
) -> Board:
    """Build a board, with pictures and published numbers."""
    from harness.leaderboard import build_board, with_pictures, with_references, with_runs
    from harness.leaderboard.fold_confusion import accumulated_picture
    from harness.leaderboard.published import Matcher
    from harness.pictures.contact_sheet import contact_sheet

    cells = with_runs(planned.cells, store)
    if planned.unchecked:
        if all(cell.run is None for cell in cells):
            raise DataError(f"suite {suite.name!r}: no run of it is stored, and " + next(iter(planned.gone.values())))
        progress.say(planned.unchecked)
    shown = [(cell.average.data if cell.average else cell.identity.data, cell.identity.data) for cell in planned.cells]
    datasets = {named.label: measured for named, measured in reversed(shown)}
    labels = dict.fromkeys(named.label for named, _ in shown if datasets[named.label].label not in planned.gone)
    board = build_board(
        title=suite.title,
        summary=suite.summary,
        suite=suite.name,
        suite_hash=digest(suite.model_dump(mode="json", exclude=_unnamed(suite))),
        command=command,
        planned=cells,
        cards={choice.name: plugins.evaluators.entry(choice.name).card for choice in suite.evaluators},
        pictures={
            f"{label}: a row of test pictures for each class": contact_sheet(sources.split(datasets[label], "test"))
            for label in labels
        },
        unchecked=planned.unchecked,
    )
    published, complaints = plugins.published()
    for complaint in complaints:
        progress.say(complaint)
    references = [reference for numbers in published.values() for reference in numbers]
    board = with_pictures(board, lambda key, name: _stored_picture(store, key, name), accumulated_picture)
    return with_references(board, references, Matcher(plugins).same)


def _unnamed(suite: Suite) -> set[str]:
    """Keys that a suite's hash is not of: places, and what is as it always was."""
    as_ever = {"precision": suite.precision == "fp32", "limit": suite.limit is None}
    return PLACES | {name for name, same in as_ever.items() if same}


def _stored_picture(store: Store, key: str, name: str) -> bytes | None:
    """Read the PNG of a run; None, with a line on stderr, where it is missing."""
    try:
        # A run may name anything; what is no short name could lead out of the store.
        if NAME.fullmatch(name):
            return store.picture(key, name).read_bytes()
    except OSError:
        pass
    progress.say(
        f"picture {name!r} of run {key} is not in the store and left out; `harness show {key}` says where it was"
    )
    return None
