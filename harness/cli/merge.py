"""`harness merge`: runs of other stores and archives."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.output import write


def merge(
    context: typer.Context,
    sources: Annotated[
        list[Path], typer.Argument(metavar="STORE...", help="Stores of other machines, or archives of `harness pack`.")
    ],
    as_json: AsJson = False,
) -> None:
    """Take runs and fits of other stores into this one, their checksums compared.

    Exits with 1 when scores of one key differ, or something is damaged; the rest is taken.
    """
    from harness import api
    from harness.system import progress

    options: Context = context.obj
    merged = api.merge(sources, plugins=options.plugins())
    for line in (*merged.conflicts, *merged.refused):
        progress.say(line)
    if as_json:
        print_json(dataclasses.asdict(merged))
    else:
        write(
            f"{len(merged.taken)} runs and {merged.fits} fits taken, {merged.same} runs were here, "
            f"{len(merged.conflicts)} conflicts, {len(merged.refused)} refused\n"
        )
    if merged.conflicts or merged.refused:
        raise typer.Exit(1)
