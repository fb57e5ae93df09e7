"""`harness run`: a suite becomes runs, and the runs a board."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from harness.cli.context import (
    BOARDS,
    AsJson,
    BoardFolder,
    Changes,
    Context,
    SuiteArgument,
    print_board,
    print_json,
    print_table,
)
from harness.cli.destination import expect_folder
from harness.errors import UsageError
from harness.system.devices import named_device

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.api import PlannedCell


def run(
    context: typer.Context,
    suite: SuiteArgument,
    changes: Changes = None,
    output: BoardFolder = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, or auto: a GPU where there is one.")] = "auto",
    jobs: Annotated[
        int | None,
        typer.Option(help="Rows computed at a time; by default one a GPU, or as many as processors and memory allow."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="Processes and threads that read videos for each row; by default its share of processors."
        ),
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="EVALUATOR", help="Compute the cells of this evaluator alone; may be repeated."),
    ] = None,
    precision: Annotated[
        str | None,
        typer.Option(help="fp32, or bf16: networks multiply in bfloat16; short for --set precision=bf16."),
    ] = None,
    compiled: Annotated[
        bool, typer.Option("--compile", help="Train what torch.compile makes of each network and its loss.")
    ] = False,
    dask: Annotated[
        str | None,
        typer.Option(help="Address of a dask.distributed scheduler whose workers compute; `local` starts one here."),
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(min=1, help="Try the suite out on so many videos of each split; short for --set limit=N."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the cells and their keys; compute nothing.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Compute cells again whose stored run failed.")
    ] = False,
    verify_data: Annotated[
        bool,
        typer.Option("--verify-data", help="Hash all files of the data sets again, also those that look unchanged."),
    ] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Fetch weights of libraries that are not here (`weights: library`).")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compute the missing runs of a suite and write its leaderboard.

    Exits with 1 when a cell failed, or has no run.
    """
    from harness import api

    options: Context = context.obj
    if dry_run and download:
        msg = "--dry-run fetches nothing, so that it goes with no --download; leave one of them out"
        raise UsageError(msg)
    if not dry_run:
        expect_folder("-o", output or BOARDS)
    named_device(device)
    changes = [
        *(changes or ()),
        *([f"precision={precision}"] if precision else []),
        *([f"limit={limit}"] if limit else []),
    ]
    if dry_run:
        _print_plan(api.plan(suite, changes=changes, only=only or (), plugins=options.plugins()), as_json=as_json)
        return
    result = api.run(
        suite,
        changes=changes,
        device=device,
        jobs=jobs,
        workers=workers,
        only=only or (),
        dask=dask,
        block=options.block,
        strict=options.strict,
        retry_failed=retry_failed,
        verify_data=verify_data,
        download=download,
        compiled=compiled,
    )
    api.publish(result.board, output)
    print_board(result.board, as_json=as_json)
    if result.lacking or any(run.status != "done" for run in result.runs):
        raise typer.Exit(1)


def _print_plan(cells: Sequence[PlannedCell], *, as_json: bool) -> None:
    """Print the cells, and where their data are there, their keys and states."""
    from harness.system import progress

    rows = [
        {
            "method": cell.identity.method.label,
            "backbone": cell.identity.backbone.label if cell.identity.backbone else "-",
            "pretraining": cell.identity.pretraining.label if cell.identity.pretraining else "-",
            "data": cell.identity.data.label,
            "evaluator": cell.identity.evaluator.label,
            "seed": cell.identity.seed,
            "key": cell.key,
            "state": cell.state,
        }
        for cell in cells
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(tuple(rows[0]), [tuple(map(str, row.values())) for row in rows])
        progress.say(f"{len(rows)} cells; nothing was computed")
