"""Files in the folder of a board."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from altair.utils.schemapi import debug_mode

from harness.leaderboard import along, plots, results_file
from harness.leaderboard.board import Board
from harness.leaderboard.board_folder import replace_files
from harness.leaderboard.charts import Spec, png
from harness.leaderboard.page import page
from harness.leaderboard.readme import PLOT, readme
from harness.leaderboard.table_csv import table_csv
from harness.system.processes import allowed_processors

FILES = (results_file.NAME, "README.md", "table.csv", "index.html", PLOT)
"""Files of every board, its pictures aside."""
OURS = re.compile(r"(picture-\d+(-[a-z0-9_-]*)?|plot-\d+-[a-z0-9_-]*|plot-along)\.png")
"""Files of which another version of the board may have had more."""


def specifications(board: Board) -> tuple[Spec, dict[str, Spec]]:
    """Specifications of a board's plot, and of its other plots by file name."""
    with debug_mode(False):  # Altair checks each part against its schema as it is made: half of the time
        own = {column.plot_file: plots.column_plot(board, column) for column in board.columns if column.plot_file}
        if along.plotted(board):
            own[along.PLOT] = plots.along_plot(board)
        return plots.board_plot(board), own


def picture_names(board: Board) -> tuple[str, ...]:
    """Names of all plots and pictures of a board."""
    own = [column.plot_file for column in board.columns if column.plot_file]
    own += [along.PLOT] if along.plotted(board) else []
    of_data, of_runs = ([picture.file for picture in board.pictures], [picture.file for picture in board.run_pictures])
    return (PLOT, *own, *of_data, *of_runs)


def board_files(board: Board) -> dict[str, bytes]:
    """Make every file of a board, by name; the same board gives the same bytes.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    results = results_file.dump(board)
    specification, own = specifications(board)
    with ThreadPoolExecutor(allowed_processors(), thread_name_prefix="plot") as pool:
        plot, *plots_of_columns = pool.map(png, (specification, *own.values()))
    return {
        results_file.NAME: results.encode(),
        "README.md": readme(board).encode(),
        "table.csv": table_csv(board).encode(),
        "index.html": page(board, specification, plot, own).encode(),
        PLOT: plot,
        **dict(zip(own, plots_of_columns, strict=True)),
        **{picture.file: picture.png for picture in board.pictures},
        **{picture.file: picture.png for picture in board.run_pictures},
    }


def render(board: Board, folder: Path) -> None:
    """Write a board, whole or not at all; what another version of it had more goes.

    Raises:
        DataError: when a run holds a number that JSON has no word for; nothing is written then.
    """
    replace_files(folder, board_files(board), lambda name: name in FILES or OURS.fullmatch(name) is not None)


def leftover(board: Board, folder: Path) -> list[str]:
    """Plots and pictures in the folder that the board no longer has."""
    names = {path.name for path in folder.glob("*.png") if OURS.fullmatch(path.name)}
    return sorted(names.difference(picture_names(board)))
