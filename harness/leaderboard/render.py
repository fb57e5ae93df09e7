"""Boards onto disk, and whether what lies there is what its runs give."""

from __future__ import annotations

from pathlib import Path

from harness import atomic
from harness.leaderboard import plots, results_file
from harness.leaderboard.board import Board
from harness.leaderboard.markdown import readme
from harness.leaderboard.page import page
from harness.leaderboard.results_file import load_results
from harness.leaderboard.table_csv import table_csv

PLOT = "plot.png"


def files(board: Board) -> dict[str, bytes]:
    """Name and content of every file of the board; the same board gives the same bytes.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    specification = plots.spec(board)
    plot = plots.png(specification)
    pictures = results_file.pictures(board)
    named = [(caption, name) for caption, name, _ in pictures]
    return {
        results_file.NAME: results_file.dump(board).encode(),
        "README.md": readme(board, PLOT, named).encode(),
        "table.csv": table_csv(board).encode(),
        "index.html": page(board, specification, plot, pictures).encode(),
        PLOT: plot,
        **{name: content for _, name, content in pictures},
    }


def render(board: Board, folder: Path) -> None:
    """Write the board into `folder`, each file whole or not at all; pictures of an earlier version go.

    Raises:
        DataError: when a run holds a number that JSON has no word for; nothing is written then.
    """
    content = files(board)
    for name, body in content.items():
        atomic.write_bytes(folder / name, body)
    for path in folder.glob("picture-*.png"):
        if path.name not in content:
            path.unlink()


def stale(folder: Path) -> tuple[str, ...]:
    """The files of `folder` that are missing, or not what its `results.json` gives.

    Raises:
        DataError: when `results.json` or a picture is missing or broken.
    """
    content = files(load_results(folder / results_file.NAME))
    return tuple(name for name, body in content.items() if not _same(folder / name, body))


def _same(path: Path, body: bytes) -> bool:
    return path.is_file() and path.read_bytes() == body
