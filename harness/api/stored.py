"""Stored runs: list, compare, pack, merge, and find what nothing needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.api.boards import leaderboard
from harness.api.loading import checked_suite
from harness.errors import DataError, UsageError
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store.faults import expect_usable
from harness.store.runs import Store
from harness.suites.command import run_command
from harness.system import paths

if TYPE_CHECKING:
    from pandas import DataFrame

    from harness.cards import EvaluatorCard
    from harness.execution.merging import Merged
    from harness.leaderboard.fusion import Fusion
    from harness.leaderboard.planned import PlannedCell as BoardCell
    from harness.leaderboard.run_pairs import RunPair
    from harness.store.garbage import Garbage
    from harness.store.records import Run


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


def fuse(keys: Sequence[str], weights: Sequence[float] | None = None, *, store: Store | None = None) -> Fusion:
    """Fuse stored runs of the same test videos: the mean of their class probabilities.

    Args:
        keys: of two runs or more, or their first digits.
        weights: one a run, not negative; equal ones when None.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when a key is unknown, weights are impossible, a run has no class scores that are probabilities, or
            the runs are of other videos, labels, classes or repeats.
    """
    from harness.leaderboard import fusion

    return fusion.fuse(Store(paths.store()) if store is None else store, keys, weights)


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
    loaded = checked_suite(suite, changes, plugins)
    command = run_command(suite, changes)
    cells = with_runs(plan_readable(loaded, plugins, DataSources(plugins, loaded.paths)).cells, store)
    runs = {cell.run.key: cell.run for cell in cells if cell.run is not None}
    if not runs:
        msg = f"suite {loaded.name!r}: no run of it is stored; compute them with `{command}`"
        raise UsageError(msg)
    about = {"suite": loaded.name, "command": command, "version": version("video-harness")}
    write_archive(Path(output), store, runs.values(), about)
    return len(runs)


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


def garbage(
    sources: Sequence[str | Path], *, plugins: Plugins | None = None, store: Store | None = None
) -> tuple[Garbage, ...]:
    """List what the store has beside what suites and boards name.

    `harness.store.garbage.delete` deletes it.

    Of a suite the runs are kept that its board shows, with the fits and features that its cells need; of a board's
    folder its runs and their fits. What killed processes left counts too, once it is some days old. Suites that are
    not named should not be running.

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
    from harness.store.garbage import find_garbage, find_leftovers
    from harness.store.specs import EvalSpec

    plugins = Plugins() if plugins is None else plugins
    store = Store(paths.store()) if store is None else store
    cells: list[BoardCell] = []
    planned: list[EvalSpec] = []
    for source in sources:
        if Path(source).is_dir():
            cells += load_results(Path(source) / "results.json").planned
        else:
            suite = checked_suite(source, (), plugins)
            plan = plan_readable(suite, plugins, DataSources(plugins, suite.paths))
            for label, reason in plan.gone.items():
                msg = (
                    f"suite {suite.name!r}: what it needs is unknown without its data ({label}: {reason}); put them "
                    "back, or name the folder of its board"
                )
                raise DataError(msg)
            planned += [cell for cell in plan.cells if isinstance(cell, EvalSpec)]
    cells += with_runs(planned, store)
    kept = kept_keys(cells, planned)
    home = paths.home() if store.folder.absolute() == paths.store() else None
    return (*find_garbage(store.folder, kept), *find_leftovers(store.folder, kept, home))
