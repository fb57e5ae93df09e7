"""`harness leaderboard`: write a board from stored runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from harness.cli.context import BOARDS, AsJson, BoardFolder, Changes, Context, print_board
from harness.cli.destination import expect_folder
from harness.cli.output import write


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
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX tables instead of text.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write a suite's leaderboard from stored runs.

    A board's folder is written again from its own results.json.
    """
    from harness import api
    from harness.leaderboard.latex import latex

    if check:
        _check(Path(source))
        return
    options: Context = context.obj
    expect_folder("-o", output or (Path(source) if Path(source).is_dir() else BOARDS))
    if (folder := Path(source)).is_dir():
        board = api.leaderboard(folder)
        api.publish(board, output or folder)
    else:
        board = api.leaderboard(source, changes=changes or (), plugins=options.plugins())
        api.publish(board, output)
    if as_latex:
        write(latex(board))
    else:
        print_board(board, as_json=as_json)


def _check(folder: Path) -> None:
    """Name the stale files of a board; exit with 1 when there are some."""
    from harness.errors import UsageError
    from harness.leaderboard import stale
    from harness.system import progress

    if not folder.is_dir():
        msg = "--check compares a board's folder with its own results.json; give the folder"
        raise UsageError(msg)
    differing = stale(folder)
    for name in differing:
        progress.say(f"{folder / name} is not what {folder / 'results.json'} gives")
    if differing:
        raise typer.Exit(1)
