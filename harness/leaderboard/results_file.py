"""`results.json`: the runs of a board and its numbers, in strict JSON."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.cards import EvaluatorCard
from harness.errors import DataError
from harness.leaderboard.board import Board, build_board, with_pictures
from harness.leaderboard.made_with import made_with
from harness.leaderboard.planned import PlannedCell
from harness.leaderboard.published import as_measured, with_references
from harness.leaderboard.ranking import Standing
from harness.leaderboard.results_content import (
    CARD,
    StoredBoard,
    StoredCell,
    StoredPicture,
    StoredRunPicture,
    evaluator_cards,
    read_stored,
    reading,
)
from harness.leaderboard.table import BoardCell, Column
from harness.system.hashing import digest
from harness.values import Predictions

NAME = "results.json"

_OPTIONAL = ("references", "unchecked")
"""Fields that a file has only where a board has something to say there."""


def dump(board: Board) -> str:
    """Write a board as text; pictures are referred to by name and hash.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    test_sets = _TestSets()
    try:
        content = StoredBoard(
            title=board.title,
            summary=board.summary,
            suite=board.suite,
            suite_hash=board.suite_hash,
            command=board.command,
            evaluators={name: _card(card) for name, card in board.cards.items()},
            planned=tuple(_packed(cell, test_sets) for cell in board.planned),
            test_sets=test_sets.by_key,
            pictures=tuple(
                StoredPicture(caption=picture.caption, file=picture.file, sha256=_hash(picture.png))
                for picture in board.pictures
            ),
            run_pictures=tuple(
                StoredRunPicture(key=picture.key, name=picture.name, file=picture.file, sha256=_hash(picture.png))
                for picture in board.run_pictures
            ),
            unchecked=board.unchecked,
            references=board.references,
            table=table_values(board),
        )
        # Not mode="json", which would quietly make null of NaN.
        values = content.model_dump(mode="python", exclude={name for name in _OPTIONAL if not getattr(board, name)})
        return json.dumps(values, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError as error:
        msg = f"a run of board {board.suite!r} holds NaN or infinity, which no file may; delete it and run again"
        raise DataError(msg) from error


def load_results(path: Path) -> Board:
    """Read a board, and compute it anew from its runs.

    Args:
        path: of `results.json`; the pictures lie beside it.

    Raises:
        DataError: when the file is missing or not one of these, or a picture is missing or another than it was.
    """
    with reading(path):
        content = read_stored(path)
        planned = [_unpacked(cell, content.test_sets) for cell in content.planned]
        cards = evaluator_cards(content)
    board = build_board(
        title=content.title,
        summary=content.summary,
        suite=content.suite,
        suite_hash=content.suite_hash,
        command=content.command,
        planned=planned,
        cards=cards,
        pictures={picture.caption: _read(path.parent / picture.file, picture.sha256) for picture in content.pictures},
        unchecked=content.unchecked,
    )
    with reading(path):
        _read_provenance(board)
    pictures = {(picture.key, picture.name): picture for picture in content.run_pictures}

    def read(key: str, name: str) -> bytes | None:
        picture = pictures.get((key, name))
        return None if picture is None else _read(path.parent / picture.file, picture.sha256)

    return with_references(with_pictures(board, read), content.references, as_measured)


def _read_provenance(board: Board) -> None:
    """Read what pages show of provenance, which a file may have in any form."""
    made_with(board.rows)
    for cell in (cell for row in board.rows for cell in row.cells):
        _ = cell.coverage, cell.data_faults, cell.conditions


def _read(path: Path, sha256: str) -> bytes:
    """Read a picture and check its hash."""
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        msg = f"{path} is missing; write the board again with `harness leaderboard SUITE`"
        raise DataError(msg) from error
    if _hash(content) != sha256:
        msg = f"{path} is not the picture that {NAME} names; write the board again with `harness leaderboard SUITE`"
        raise DataError(msg)
    return content


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _card(card: EvaluatorCard) -> dict[str, Any]:
    written = {**CARD.dump_python(card, mode="json"), "needs": sorted(card.needs)}
    if not card.sets:  # as before cards said so
        del written["sets"]
    return written


class _TestSets:
    """Test sets of a board's runs by their hashes, each taken up once."""

    def __init__(self) -> None:
        self.by_key: dict[str, dict[str, Any]] = {}
        self._keys: dict[tuple[object, ...], str] = {}

    def key(self, predictions: Predictions) -> str:
        """Key of the videos, groups and labels that predictions are of."""
        place = predictions.videos, predictions.groups, predictions.labels, predictions.multilabels
        if place not in self._keys:
            whole = dict(zip(("videos", "groups", "labels", "multilabels"), place, strict=True))
            if not predictions.multilabels:  # as before there were any
                del whole["multilabels"]
            self._keys[place] = digest(whole)
            self.by_key[self._keys[place]] = whole
        return self._keys[place]


def _packed(cell: PlannedCell, test_sets: _TestSets) -> StoredCell:
    run, key = None, None
    values: dict[str, tuple[str, ...]] = {}
    if cell.run is not None:
        run = cell.run.model_dump(mode="python", exclude=cell.run.unwritten | {"predictions": True})
        run["predictions"] = None
        if (predictions := cell.run.predictions) is not None:
            run["predictions"] = [" ".join(map(str, row)) for row in predictions.predicted]
            values = {name: tuple(map(_to_line, rows)) for name, rows in predictions.values.items()}
            key = test_sets.key(predictions)
    return StoredCell(
        identity=cell.identity,
        key=cell.key,
        supervised=cell.supervised,
        not_applicable=cell.not_applicable,
        sees=cell.sees,
        starts=cell.starts,
        average=cell.average,
        run=run,
        test_set=key,
        values=values,
    )


def _unpacked(cell: StoredCell, test_sets: Mapping[str, Mapping[str, Any]]) -> PlannedCell:
    run = cell.run
    if run is not None and cell.test_set is not None:
        predicted = [[int(number) for number in row.split()] for row in run["predictions"]]
        values = {name: [_from_line(line) for line in rows] for name, rows in cell.values.items()}
        run = {**run, "predictions": {**test_sets[cell.test_set], "predicted": predicted, "values": values}}
    return cell.with_run(run)


def _to_line(values: Sequence[float | None]) -> str:
    """Write numbers so that they are read back exactly; `-` for a video left out.

    >>> _to_line([1.0, 0.1, None, 0.0])
    '1 0.1 - 0'
    """
    return " ".join(map(_word, values))


@functools.lru_cache(maxsize=2**16)
def _word(value: float | None) -> str:
    if value is None:
        return "-"
    if not math.isfinite(value):
        msg = f"expected finite values, got {value}"
        raise ValueError(msg)
    return repr(float(value) + 0.0).removesuffix(".0")  # 0 for -0, which a cache takes for the same


def _from_line(line: str) -> list[float | None]:
    return [None if number == "-" else float(number) for number in line.split()]


def table_values(board: Board) -> list[dict[str, Any]]:
    """Collect all numbers as stored: accuracies as fractions, entropies in bits."""
    return [
        _row_values(board, standing, division.index) for division in board.divisions for standing in division.standings
    ]


def _row_values(board: Board, standing: Standing, division: int) -> dict[str, Any]:
    row, rank = standing.row, standing.rank
    backbone, pretraining, *_ = row.setting
    return {
        "method": row.method,
        "backbone": backbone,
        "pretraining": pretraining,
        "sees": row.sees,
        "starts": [str(start) for start in row.starts],
        "reference": row.supervised,
        "labelled": row.labelled,
        "division": division,
        "rank": rank and {"place": rank.place, "low": rank.low, "high": rank.high, "mean": rank.mean},
        "cells": [_cell_values(row.cell(column), column) for column in board.columns],
    }


def _cell_values(cell: BoardCell, column: Column) -> dict[str, Any]:
    return {
        "evaluator": column.evaluator.label,
        "data": column.data.label,
        "metric": column.metric.id,
        "status": cell.status,
        "interval": cell.interval and dataclasses.asdict(cell.interval),
        "chance": cell.primary.chance,
        "others": {
            summary.metric.id: {"interval": dataclasses.asdict(summary.interval), "baseline": summary.chance}
            for summary in cell.metrics[1:]
            if summary.interval
        },
        "videos": cell.videos,
        "groups": cell.groups,
    }
