"""Python interface of the harness; the command line prints what it returns."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from harness.cards import NAME
from harness.execution.plan import Plan, Planner, check
from harness.leaderboard import Board, build_board, load_results, render, with_pictures, with_references, with_runs
from harness.leaderboard.published import Matcher
from harness.pictures.contact_sheet import contact_sheet
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites import schema
from harness.system import paths, progress
from harness.system.hashing import digest


def leaderboard(
    source: str | Path, *, changes: Sequence[str] = (), plugins: Plugins | None = None, store: Store | None = None
) -> Board:
    """Build a board from stored runs; `publish` writes it into a folder.

    Args:
        source: name of a suite, a .yaml file, or the folder of a board, which is read from its own `results.json`.
        changes: `KEY=VALUE` as `--set` takes them; of a suite.
        plugins: where names are looked up; all that are installed unless given.
        store: where the runs are; the user's own unless given.

    Raises:
        UsageError: when the suite, one of its names or an option is unknown or wrong.
        PluginError: when a distribution that the suite requires is not installed.
        DataError: when data cannot be read, a stored run is broken, or the folder holds no board.
    """
    if Path(source).is_dir():
        return load_results(Path(source) / "results.json")
    plugins = Plugins() if plugins is None else plugins
    suite = schema.load(str(source), plugins.suites, changes=changes)
    check(suite, plugins)
    planner = Planner(plugins, suite.paths)
    store = Store(paths.store()) if store is None else store
    return board_of_plan(planner.plan(suite), planner, plugins, store, command=run_command(source, changes))


def publish(board: Board, folder: Path | None = None) -> Path:
    """Write a board into a folder, `leaderboards/<suite>` unless given.

    Raises:
        DataError: when a run holds NaN or infinity; nothing is written then.
    """
    folder = folder or Path("leaderboards") / board.suite
    render(board, folder)
    return folder


def run_command(suite: str | Path, changes: Sequence[str] = ()) -> str:
    """Shell command that computes the runs of a suite.

    >>> run_command("quickstart", ["seeds=[0]"])
    "harness run quickstart --set 'seeds=[0]'"
    """
    return shlex.join(["harness", "run", str(suite), *(part for change in changes for part in ("--set", change))])


def board_of_plan(plan: Plan, planner: Planner, plugins: Plugins, store: Store, *, command: str) -> Board:
    """Build the board of a plan, with pictures and published numbers."""
    suite = plan.suite
    datasets = {cell.identity.data.label: cell.identity.data for cell in reversed(plan.cells)}
    labels = dict.fromkeys(cell.identity.data.label for cell in plan.cells)
    board = build_board(
        title=suite.title,
        summary=suite.summary,
        suite=suite.name,
        suite_hash=digest(suite.model_dump(mode="json")),
        command=command,
        planned=with_runs(plan, store),
        cards={choice.name: plugins.evaluators.load(choice.name).card for choice in suite.evaluators},
        pictures={
            f"{label}: a row of test pictures for each class": contact_sheet(planner.split(datasets[label], "test"))
            for label in labels
        },
    )
    published, complaints = plugins.published()
    for complaint in complaints:
        progress.say(complaint)
    references = [reference for numbers in published.values() for reference in numbers]
    board = with_pictures(board, lambda key, name: _stored_picture(store, key, name))
    return with_references(board, references, Matcher(plugins).same)


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
