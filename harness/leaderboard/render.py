"""Boards onto disk, and whether what lies there is what its runs give."""

from __future__ import annotations

import re
from pathlib import Path

from altair.utils.schemapi import debug_mode

from harness.leaderboard import dots, plots, results_file, sections
from harness.leaderboard.board import Board
from harness.leaderboard.page import page
from harness.leaderboard.readme import readme
from harness.leaderboard.results_file import load_results
from harness.leaderboard.table_csv import table_csv
from harness.leaderboard.text import file_name
from harness.system import files

PLOT = "plot.png"
OURS = re.compile(r"(picture-\d+(-[a-z0-9_-]*)?|plot-\d+-[a-z0-9_-]*)\.png")
"""Files of which another version of the board may have had more."""


def board_files(board: Board) -> dict[str, bytes]:
    """Name and content of every file of the board; the same board gives the same bytes.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    results = results_file.dump(board)
    with debug_mode(False):  # Altair checks each part against its schema as it is made: half of the time
        specification = plots.board_spec(board)
        columns = {j: spec for j in range(len(board.columns)) if (spec := plots.evaluator_spec(board, j)) is not None}
    names = {j: f"plot-{j + 1}-{file_name(board.columns[j].evaluator.name)}.png" for j in columns}
    plot = dots.png(specification)
    drawn = [*sections.of_data(board), *(file for _, file in sections.of_runs(board))]
    return {
        results_file.NAME: results.encode(),
        "README.md": readme(board, PLOT, names).encode(),
        "table.csv": table_csv(board).encode(),
        "index.html": page(board, specification, plot, names, columns).encode(),
        PLOT: plot,
        **{names[j]: dots.png(spec) for j, spec in columns.items()},
        **{file.name: file.png for file in drawn},
    }


def render(board: Board, folder: Path) -> None:
    """Write the board into `folder`, each file whole or not at all; plots and pictures of an earlier version go.

    Raises:
        DataError: when a run holds a number that JSON has no word for; nothing is written then.
    """
    content = board_files(board)
    for name, body in content.items():
        files.write_bytes(folder / name, body)
    for name in _leftover(folder, content):
        (folder / name).unlink()


def stale(folder: Path) -> tuple[str, ...]:
    """The files of `folder` that are missing, left over, or not what its `results.json` gives.

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
