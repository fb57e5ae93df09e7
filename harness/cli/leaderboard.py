"""`harness leaderboard`: write a board from stored runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from harness.cli.context import BOARDS, AsJson, BoardFolder, Changes, Context, print_board, print_json
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
    as_: Annotated[
        Literal["latex", "mteb"] | None,
        typer.Option(
            "--as",
            help="latex: print tables for a paper, write nothing. mteb: write results in MTEB's format into -o.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a suite's leaderboard from stored runs.

    A board's folder is written again from its own results.json.
    """
    from harness import api
    from harness.errors import UsageError

    folder = Path(source)
    if as_ is not None and (check or (as_json and as_ == "latex") or (changes and as_ == "mteb")):
        msg = f"--as {as_} stands alone: not beside --check, LaTeX not beside --json, MTEB's format not beside --set"
        raise UsageError(msg)
    if output is not None and (check or as_ == "latex"):
        msg = f"{'--check' if check else '--as latex'} writes nothing: not beside -o"
        raise UsageError(msg)
    if changes and (check or folder.is_dir()):
        msg = f"--set changes a suite, and {source} is taken for a board's folder; leave it out, or give the suite"
        raise UsageError(msg)
    if check:
        _check(folder, as_json=as_json)
        return
    if as_ == "mteb":
        _write_mteb(folder, output, as_json=as_json)
        return
    options: Context = context.obj
    place = output or (folder if folder.is_dir() else None)
    if as_ is None:
        expect_folder("-o", place or BOARDS)
    if folder.is_dir():
        board = api.leaderboard(folder)
    else:
        board = api.leaderboard(source, changes=changes or (), plugins=options.plugins())
    if as_ == "latex":
        from harness.leaderboard.latex import latex

        write(latex(board))
        return
    api.publish(board, place)
    print_board(board, as_json=as_json)


def _write_mteb(folder: Path, output: Path | None, *, as_json: bool) -> None:
    """Write a board's results in MTEB's format, and name the files."""
    from harness.bridges.mteb_results import results
    from harness.errors import UsageError

    if not folder.is_dir() or output is None:
        msg = "--as mteb writes the results of a board's folder into a new one; give both: FOLDER -o OUTPUT"
        raise UsageError(msg)
    expect_folder("-o", output)
    written = results(folder, output)
    if as_json:
        print_json([str(path) for path in written])
        return
    write("".join(f"{path}\n" for path in written))


def _check(folder: Path, *, as_json: bool) -> None:
    """Name the stale files of a board; exit with 1 when there are some."""
    from harness.errors import UsageError
    from harness.leaderboard import stale
    from harness.system import progress

    if not folder.is_dir():
        msg = "--check compares a board's folder with its own results.json; give the folder"
        raise UsageError(msg)
    differing = stale(folder)
    if as_json:
        print_json(list(differing))
    for name in differing:
        progress.say(f"{folder / name} is not what {folder / 'results.json'} gives")
    if differing:
        raise typer.Exit(1)
