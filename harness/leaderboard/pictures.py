"""Pictures on a board: of the data, and of the runs that stand first in their columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from harness.leaderboard.board import Board, RunPicture
from harness.leaderboard.escaping import file_name


@dataclasses.dataclass(frozen=True, slots=True)
class File:
    """A picture as a file of the board's folder."""

    caption: str
    name: str
    png: bytes


def of_data(board: Board) -> list[File]:
    """The data's, numbered in their order."""
    return [File(caption, f"picture-{i}.png", png) for i, (caption, png) in enumerate(board.pictures.items(), start=1)]


def of_runs(board: Board) -> list[tuple[RunPicture, File]]:
    """The runs', numbered after the data's."""
    found = []
    for i, picture in enumerate(board.run_pictures, start=len(board.pictures) + 1):
        row = board.label(board.rows[picture.row])
        evaluator = file_name(board.columns[picture.column].evaluator.name)
        name = f"picture-{i}-{evaluator}-{file_name(picture.name)}.png"
        found.append((picture, File(f"{row}, seed {picture.seed}: {picture.name}", name, picture.png)))
    return found


def with_pictures(board: Board, read: Callable[[str, str], bytes | None]) -> Board:
    """`board` with the pictures of its runs: in each column those of the first seed of the row that ranks best.

    Where nothing is ranked they are those of a reference, or else of the first row.

    Args:
        board: whose runs.
        read: the PNG of a run's key and a picture's name; None leaves it out.
    """
    ranked = [(rank is None, i) for d in board.divisions for i, rank in zip(d.rows, d.ranks, strict=True)]
    order = [i for _, i in sorted(ranked, key=lambda item: (item[0], item[0] and not board.rows[item[1]].supervised))]
    found = []
    for j in range(len(board.columns)):
        cells = [(i, seed) for i in order for seed in board.rows[i].cells[j].seeds]
        first = next(((i, seed.seed, seed.run) for i, seed in cells if seed.run and seed.run.pictures), None)
        if first is not None:
            row, number, run = first
            found += [
                RunPicture(j, row, number, run.key, name, png)
                for name in run.pictures
                if (png := read(run.key, name)) is not None
            ]
    return dataclasses.replace(board, run_pictures=tuple(found))
