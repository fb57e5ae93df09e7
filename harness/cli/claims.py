"""`harness claims`: a paper's claims, held against boards."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Context, print_json


def claims(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="CLAIMS.yaml", help="File of claims, as a plugin ships it.")],
    boards: Annotated[list[Path], typer.Argument(metavar="BOARD...", help="Folders of boards of the claims' suites.")],
    readme: Annotated[
        Path | None, typer.Option(help="Write the table between the comments of this file, rather than print it.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Judge a paper's claims by boards: confirmed, refuted or open."""
    from harness import api
    from harness.leaderboard import claims_table
    from harness.system.files import write_text

    options: Context = context.obj
    measured = api.claims(source, boards, plugins=options.plugins())
    if readme is not None:
        write_text(readme, claims_table.filled(readme.read_text(encoding="utf-8"), measured.table))
    if as_json:
        print_json(claims_table.values(measured.pairs))
    elif readme is None:
        sys.stdout.write(measured.table + "\n")
