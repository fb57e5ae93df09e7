"""Files in the folder of a board."""

from __future__ import annotations

import re
from pathlib import Path

from altair.utils.schemapi import debug_mode

from harness.leaderboard import plots, results_file
from harness.leaderboard.board import Board
from harness.leaderboard.charts import Spec, png
from harness.leaderboard.page import page
from harness.leaderboard.readme import PLOT, readme
from harness.leaderboard.table_csv import table_csv
from harness.system import files

OURS = re.compile(r"(picture-\d+(-[a-z0-9_-]*)?|plot-\d+-[a-z0-9_-]*)\.png")
"""Files of which another version of the board may have had more."""


def specifications(board: Board) -> tuple[Spec, dict[str, Spec]]:
    """Specifications of a board's plot, and of its columns' plots by file name."""
    with debug_mode(False):  # Altair checks each part against its schema as it is made: half of the time
        own = {column.plot_file: plots.column_plot(board, column) for column in board.columns if column.plot_file}
        return plots.board_plot(board), own


def picture_names(board: Board) -> tuple[str, ...]:
    """Names of all plots and pictures of a board."""
    own = (column.plot_file for column in board.columns if column.plot_file)
    of_data, of_runs = ([picture.file for picture in board.pictures], [picture.file for picture in board.run_pictures])
    return (PLOT, *own, *of_data, *of_runs)


def board_files(board: Board) -> dict[str, bytes]:
    """Make every file of a board, by name; the same board gives the same bytes.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    results = results_file.dump(board)
    specification, own = specifications(board)
    plot = png(specification)
    return {
        results_file.NAME: results.encode(),
        "README.md": readme(board).encode(),
        "table.csv": table_csv(board).encode(),
        "index.html": page(board, specification, plot, own).encode(),
        PLOT: plot,
        **{name: png(column_specification) for name, column_specification in own.items()},
        **{picture.file: picture.png for picture in board.pictures},
        **{picture.file: picture.png for picture in board.run_pictures},
    }


def render(board: Board, folder: Path) -> None:
    """Write a board, each file whole or not at all; leftover plots and pictures go.

    Raises:
        DataError: when a run holds a number that JSON has no word for; nothing is written then.
    """
    for name, body in board_files(board).items():
        files.write_bytes(folder / name, body)
    for name in leftover(board, folder):
        (folder / name).unlink()


def leftover(board: Board, folder: Path) -> list[str]:
    """Plots and pictures in the folder that the board no longer has."""
    names = {path.name for path in folder.glob("*.png") if OURS.fullmatch(path.name)}
    return sorted(names.difference(picture_names(board)))
