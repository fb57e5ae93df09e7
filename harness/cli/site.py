"""`harness site`: several boards as a static site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.destination import expect_folder
from harness.cli.output import write


def site(
    context: typer.Context,
    boards: Annotated[
        list[str], typer.Argument(metavar="BOARD...", help="Folders of boards, or names of suites in leaderboards/.")
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FOLDER", help="New folder, or a site to write again.")
    ],
    before: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Earlier site, or folder of boards: a page says what changed since."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write boards as one static site that needs no network.

    All numbers in a table with filters, a page for each method, and a copy of every board.
    """
    from harness import api

    options: Context = context.obj
    expect_folder("-o", output)
    written = api.site(boards, output, before=before, plugins=options.plugins())
    if as_json:
        print_json([str(path) for path in written])
        return
    write("".join(f"{path}\n" for path in written))
