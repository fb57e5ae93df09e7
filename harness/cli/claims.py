"""`harness claims`: a paper's claims, held against boards."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import AsJson, Context, print_json
from harness.cli.destination import expect_file
from harness.cli.output import write


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
    text = None if readme is None else _text(readme)
    measured = api.claims(source, boards, plugins=options.plugins())
    if readme is not None and text is not None:
        write_text(readme, claims_table.filled(text, measured.table))
    if as_json:
        print_json(claims_table.values(measured.pairs))
    elif readme is None:
        write(measured.table + "\n")


def _text(readme: Path) -> str:
    """Read the file that the table is written into.

    Raises:
        UsageError: when it cannot be read or written.
    """
    from harness.errors import UsageError

    expect_file("--readme", readme)
    try:
        return readme.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8"
        msg = f"--readme {readme}: {why}; give a Markdown file with the comments of the table"
        raise UsageError(msg) from error
