"""`harness export`: an encoder with its weights, a model card and an example."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.destination import expect_folder
from harness.cli.output import write


def export(
    context: typer.Context,
    key: Annotated[str, typer.Argument(help="Key of a run or of its fit, or the first digits.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="New folder to write to.")],
    as_: Annotated[
        Literal["mteb"] | None,
        typer.Option("--as", help="mteb: also a program that measures it on tasks of MTEB."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a run's encoder as safetensors, with a model card and an example."""
    from harness.export.folder import export_encoder

    options: Context = context.obj
    expect_folder("-o", output)
    written = export_encoder(key, output, mteb=as_ == "mteb", plugins=options.plugins())
    if as_json:
        print_json([str(path) for path in written])
        return
    write("".join(f"{path}\n" for path in written))
