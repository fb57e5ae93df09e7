"""The folder of a board: its files, and a check that they are what its runs give."""

from __future__ import annotations

import re
from pathlib import Path

from altair.utils.schemapi import debug_mode

from harness.leaderboard import plots, results_file
from harness.leaderboard.board import Board
from harness.leaderboard.charts import png
from harness.leaderboard.page import page
from harness.leaderboard.readme import PLOT, readme
from harness.leaderboard.results_file import load_results
from harness.leaderboard.table_csv import table_csv
from harness.system import files

OURS = re.compile(r"(picture-\d+(-[a-z0-9_-]*)?|plot-\d+-[a-z0-9_-]*)\.png")
"""Files of which another version of the board may have had more."""


def board_files(board: Board) -> dict[str, bytes]:
    """Make every file of a board, by name; the same board gives the same bytes.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    results = results_file.dump(board)
    with debug_mode(False):  # Altair checks each part against its schema as it is made: half of the time
        specification = plots.board_plot(board)
        own = {column.plot_file: plots.column_plot(board, column) for column in board.columns if column.plot_file}
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
    content = board_files(board)
    for name, body in content.items():
        files.write_bytes(folder / name, body)
    for name in _leftover(folder, content):
        (folder / name).unlink()


def stale(folder: Path) -> tuple[str, ...]:
    """Name the files that are missing, left over, or not what `results.json` gives.

    Raises:
        DataError: when `results.json` or a picture is missing or broken.
    """
    content = board_files(load_results(folder / results_file.NAME))
    differing = [name for name, body in content.items() if not _same(folder / name, body)]
    return (*differing, *_leftover(folder, content))


def _leftover(folder: Path, content: dict[str, bytes]) -> list[str]:
    """Plots and pictures that the board no longer has."""
    return sorted(path.name for path in folder.glob("*.png") if OURS.fullmatch(path.name) and path.name not in content)


def _same(path: Path, body: bytes) -> bool:
    return path.is_file() and path.read_bytes() == body
