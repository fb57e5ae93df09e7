"""`harness leaderboard`: stored runs become a board."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.run import BoardFolder, Changes, command

if TYPE_CHECKING:
    from harness.execution.plan import Plan, Planner
    from harness.leaderboard import Board
    from harness.plugins.manager import Plugins
    from harness.store.runs import Store


def leaderboard(
    context: typer.Context,
    source: Annotated[
        str, typer.Argument(metavar="SUITE", help="Name of a suite, a .yaml file, or the folder of a board.")
    ],
    changes: Changes = None,
    output: BoardFolder = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 when the files are not what results.json gives.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write a suite's leaderboard from stored runs, or a board's folder again from its own results.json."""
    from harness.errors import UsageError
    from harness.execution import plan
    from harness.leaderboard import load_results, render, stale
    from harness.store.runs import Store
    from harness.suites import schema
    from harness.system import paths

    folder = Path(source)
    if folder.is_dir():
        if check:
            differing = stale(folder)
            for name in differing:
                sys.stderr.write(f"{folder / name} is not what {folder / 'results.json'} gives\n")
            if differing:
                raise typer.Exit(1)
            return
        board = load_results(folder / "results.json")
        render(board, output or folder)
        _print(board, as_json=as_json)
        return
    if check:
        msg = "--check compares a board's folder with its own results.json; give the folder"
        raise UsageError(msg)
    options: Context = context.obj
    plugins = options.plugins()
    loaded = schema.load(source, plugins.suites, changes=changes or ())
    plan.check(loaded, plugins)
    planner = plan.Planner(plugins, loaded.paths)
    store = Store(paths.store())
    publish(planner.plan(loaded), planner, plugins, store, output, command=command(source, changes), as_json=as_json)


def publish(
    plan: Plan,
    planner: Planner,
    plugins: Plugins,
    store: Store,
    output: Path | None,
    *,
    command: str,
    as_json: bool,
) -> None:
    """Write the board of `plan` from what `store` has, and print its table."""
    from harness.leaderboard import build_board, render, with_pictures, with_runs
    from harness.pictures.contact_sheet import contact_sheet
    from harness.system.hashing import digest

    suite = plan.suite
    pictures = {}
    for named in dict.fromkeys(cell.identity.data.label for cell in plan.cells):
        data = next(cell.identity.data for cell in plan.cells if cell.identity.data.label == named)
        pictures[f"{named}: a row of test pictures for each class"] = contact_sheet(planner.split(data, "test"))
    board = build_board(
        title=suite.title,
        summary=suite.summary,
        suite=suite.name,
        suite_hash=digest(suite.model_dump(mode="json")),
        command=command,
        planned=with_runs(plan, store),
        cards={choice.name: plugins.evaluators.load(choice.name).card for choice in suite.evaluators},
        pictures=pictures,
    )
    board = _with_published(with_pictures(board, lambda key, name: _picture(store, key, name)), plugins)
    render(board, output or Path("leaderboards") / suite.name)
    _print(board, as_json=as_json)


def _with_published(board: Board, plugins: Plugins) -> Board:
    """The board with what papers published of its protocols; each broken file gets a line on stderr."""
    from harness.leaderboard import with_references
    from harness.suites.references import Matcher
    from harness.system import progress

    published, complaints = plugins.published()
    for complaint in complaints:
        progress.say(complaint)
    references = [reference for members in published.values() for reference in members]
    return with_references(board, references, Matcher(plugins).same)


def _picture(store: Store, key: str, name: str) -> bytes | None:
    """The PNG of a run, or None with a line on stderr where it is not there."""
    from harness.cards import NAME
    from harness.system import progress

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


def _print(board: Board, *, as_json: bool) -> None:
    from harness.leaderboard.readme import tables
    from harness.leaderboard.results_file import lines

    if as_json:
        print_json(lines(board))
    else:
        sys.stdout.write(tables(board) + "\n")
