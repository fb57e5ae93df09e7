"""`harness new`: a plugin's project, from a template."""

from __future__ import annotations

import enum
import shlex
from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Context, Verb, print_json
from harness.cli.destination import expect_folder
from harness.cli.output import write

app = typer.Typer(help="Start a project from a template.", no_args_is_help=True)


class PluginKind(str, enum.Enum):
    """Kinds of plugins that there is a template of."""

    method = "method"
    backbone = "backbone"
    dataset = "dataset"
    evaluator = "evaluator"


@app.callback()
def _group() -> None:
    """Keep `plugin` a verb of its own, although it is the only one."""


@app.command(cls=Verb)
def plugin(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Name of the plugin, such as my-method.", show_default=False)],
    kind: Annotated[PluginKind, typer.Option(help="Kind of what it offers.", show_default=False)],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FOLDER", help="New folder; harness-NAME by default.", show_default=False
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a plugin that works: tests, a benchmark, a suite and a workflow beside it."""
    from harness.plugins import scaffold
    from harness.system import progress

    options: Context = context.obj
    folder = Path(scaffold.project_name(name)) if output is None else output
    expect_folder("-o", folder)
    scaffold.expect_free(name, kind.value, options.plugins())
    written = [str(path) for path in scaffold.write_plugin(name, kind.value, folder)]
    if as_json:
        print_json(written)
    else:
        write("".join(f"{path}\n" for path in written))
    progress.say(f"next: cd {shlex.quote(str(folder))} && pip install -e '.[test]' && pytest && harness run suite.yaml")
