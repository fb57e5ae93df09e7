"""`harness pack`: runs of a suite as one file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Changes, Context, SuiteArgument, print_json
from harness.cli.destination import expect_file
from harness.cli.output import write


def pack(
    context: typer.Context,
    suite: SuiteArgument,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Archive to write, a .zip.")],
    changes: Changes = None,
    as_json: AsJson = False,
) -> None:
    """Write a suite's runs with their predictions into one file, for other stores.

    `harness merge FILE` takes them; weights and features are left out.
    """
    from harness import api

    options: Context = context.obj
    expect_file("-o", output)
    count = api.pack(suite, output, changes=changes or (), plugins=options.plugins())
    if as_json:
        print_json({"file": str(output), "runs": count})
    else:
        write(f"{output}: {count} runs\n")
