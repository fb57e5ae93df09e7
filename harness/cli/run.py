"""`harness run`: a suite becomes runs, and the runs a board."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import (
    AsJson,
    BoardFolder,
    Changes,
    Context,
    SuiteArgument,
    print_board,
    print_json,
    print_table,
    usable_device,
)

if TYPE_CHECKING:
    from harness.plugins.manager import Plugins
    from harness.store.records import CellSpec
    from harness.suites.schema import Suite


def run(
    context: typer.Context,
    suite: SuiteArgument,
    changes: Changes = None,
    output: BoardFolder = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the cells and their keys; compute nothing.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute cells again whose stored run failed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute the missing runs of a suite and write its leaderboard.

    Exits with 1 when a cell failed.
    """
    from harness.execution import plan
    from harness.suites import schema
    from harness.system import paths

    options: Context = context.obj
    plugins = options.plugins()
    loaded = schema.load(suite, plugins.suites, changes=changes or ())
    plan.check(loaded, plugins)
    if dry_run:
        _dry_run(loaded, plugins, as_json=as_json)
        return

    from harness import api
    from harness.execution.executor import Executor
    from harness.store.runs import Store

    planner = plan.Planner(plugins, loaded.paths)
    store = Store(paths.store())
    executor = Executor(plugins, planner, store, device=usable_device(device))
    planned = planner.plan(loaded)
    runs = executor.execute(planned, retry_failed=retry_failed)
    command = api.run_command(suite, changes or ())
    board = api.board_of_plan(planned, planner, plugins, store, command=command)
    api.publish(board, output)
    print_board(board, as_json=as_json)
    if any(run.status != "done" for run in runs):
        raise typer.Exit(1)


def _dry_run(suite: Suite, plugins: Plugins, *, as_json: bool) -> None:
    """Print the cells, and where their data are there, their keys and states."""
    from harness.execution.plan import Planner, identities
    from harness.store.runs import Store
    from harness.system import paths

    planner, store = Planner(plugins, suite.paths), Store(paths.store())
    rows = []
    for identity in identities(suite):
        row = {**_names(identity), "key": "", "state": "data not drawn yet"}
        if planner.ready(identity):
            cell = planner.cell(identity)
            stored = store.get(cell.key)
            state = "to do" if stored is None else str(stored.status)
            if cell.missing:
                state = f"not applicable: no {', '.join(sorted(cell.missing))}"
            row |= {"key": cell.key, "state": state}
        rows.append(row)
    if as_json:
        print_json(rows)
    else:
        print_table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows])
        sys.stderr.write(f"{len(rows)} cells; nothing was computed\n")


def _names(identity: CellSpec) -> dict[str, str | int]:
    return {
        "method": identity.method.label,
        "backbone": identity.backbone.label,
        "pretraining": identity.pretraining.label,
        "data": identity.data.label,
        "evaluator": identity.evaluator.label,
        "seed": identity.seed,
    }
