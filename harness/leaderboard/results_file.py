"""`results.json`: everything a board is computed from, and what was computed, in one file of strict JSON."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pydantic

from harness.cards import EvaluatorCard
from harness.errors import DataError
from harness.leaderboard import sections
from harness.leaderboard.board import Board, build_board
from harness.leaderboard.published import as_measured, with_references
from harness.leaderboard.sections import with_pictures
from harness.leaderboard.table import Planned
from harness.store.records import CellSpec, Run
from harness.suites.references import Reference
from harness.system.hashing import digest

NAME = "results.json"

_CARD = pydantic.TypeAdapter(EvaluatorCard)


class _Cell(pydantic.BaseModel):
    """A planned cell.

    Its run's predictions and the values of metrics are here one line of numbers a repeat; the videos they are of stand
    in `test_sets`, which many runs share.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    identity: CellSpec
    key: str
    supervised: bool
    not_applicable: str
    run: dict[str, Any] | None
    test_set: str | None
    values: dict[str, tuple[str, ...]] = {}


class _Picture(pydantic.BaseModel):
    """A file beside this one."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    caption: str
    file: str = pydantic.Field(pattern=r"^picture-\d+\.png$")
    sha256: str


class _RunPicture(pydantic.BaseModel):
    """A file beside this one: a picture of the run of `key`."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    key: str
    name: str
    file: str = pydantic.Field(pattern=r"^picture-\d+-[a-z0-9_-]*\.png$")
    sha256: str


class _File(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    title: str
    summary: str
    suite: str
    suite_hash: str
    command: str
    evaluators: dict[str, dict[str, Any]]
    test_sets: dict[str, dict[str, Any]]
    planned: tuple[_Cell, ...]
    pictures: tuple[_Picture, ...]
    run_pictures: tuple[_RunPicture, ...] = ()
    references: tuple[Reference, ...] = ()
    """Values as papers print them: percent where `table` has fractions."""
    table: list[dict[str, Any]]
    """What readers of the file want first; loading computes it anew."""


def dump(board: Board) -> str:
    """The file's text; pictures are referred to by name and hash.

    Raises:
        DataError: when a run holds a number that JSON has no word for.
    """
    test_sets: dict[str, dict[str, Any]] = {}
    try:
        content = _File(
            title=board.title,
            summary=board.summary,
            suite=board.suite,
            suite_hash=board.suite_hash,
            command=board.command,
            evaluators={name: _card(card) for name, card in board.cards.items()},
            planned=tuple(_packed(cell, test_sets) for cell in board.planned),
            test_sets=test_sets,
            pictures=tuple(
                _Picture(caption=file.caption, file=file.name, sha256=_hash(file.png))
                for file in sections.of_data(board)
            ),
            run_pictures=tuple(
                _RunPicture(key=picture.key, name=picture.name, file=file.name, sha256=_hash(file.png))
                for picture, file in sections.of_runs(board)
            ),
            references=board.references,
            table=lines(board),
        )
        # Not mode="json", which would quietly make null of NaN.
        values = content.model_dump(mode="python", exclude=None if board.references else {"references"})
        return json.dumps(values, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    except ValueError as error:
        msg = f"a run of board {board.suite!r} holds NaN or infinity, which no file may; delete it and run again"
        raise DataError(msg) from error


def load_results(path: Path) -> Board:
    """The board that `dump` wrote, computed anew from its runs.

    Args:
        path: of `results.json`; the pictures lie beside it.

    Raises:
        DataError: when the file is missing or not one of these, or a picture is missing or another than it was.
    """
    try:
        content = _File.model_validate_json(path.read_text(encoding="utf-8"))
        planned = [_unpacked(cell, content.test_sets) for cell in content.planned]
        cards = {name: _CARD.validate_python(card) for name, card in content.evaluators.items()}
    except FileNotFoundError as error:
        msg = f"{path} does not exist; `harness leaderboard SUITE` writes it"
        raise DataError(msg) from error
    except (pydantic.ValidationError, UnicodeDecodeError, KeyError, ValueError) as error:
        detail = " ".join(str(error).split())[:200]
        msg = f"{path}: not the results of a board ({detail}); write it again with `harness leaderboard SUITE`"
        raise DataError(msg) from error
    board = build_board(
        title=content.title,
        summary=content.summary,
        suite=content.suite,
        suite_hash=content.suite_hash,
        command=content.command,
        planned=planned,
        cards=cards,
        pictures={picture.caption: _read(path.parent / picture.file, picture.sha256) for picture in content.pictures},
    )
    named = {(picture.key, picture.name): picture for picture in content.run_pictures}

    def read(key: str, name: str) -> bytes | None:
        picture = named.get((key, name))
        return None if picture is None else _read(path.parent / picture.file, picture.sha256)

    return with_references(with_pictures(board, read), content.references, as_measured)


def _read(path: Path, sha256: str) -> bytes:
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
    return {**_CARD.dump_python(card, mode="json"), "needs": sorted(card.needs)}


def _packed(cell: Planned, test_sets: dict[str, dict[str, Any]]) -> _Cell:
    run, key = None, None
    values: dict[str, tuple[str, ...]] = {}
    if cell.run is not None:
        run = cell.run.model_dump(mode="python")
        if cell.run.predictions is not None:
            whole = dataclasses.asdict(cell.run.predictions)
            run["predictions"] = [" ".join(map(str, row)) for row in whole.pop("predicted")]
            values = {name: tuple(map(_line, rows)) for name, rows in whole.pop("values").items()}
            key = digest(whole)
            test_sets[key] = whole
    return _Cell(
        identity=cell.identity,
        key=cell.key,
        supervised=cell.supervised,
        not_applicable=cell.not_applicable,
        run=run,
        test_set=key,
        values=values,
    )


def _unpacked(cell: _Cell, test_sets: Mapping[str, Mapping[str, Any]]) -> Planned:
    run = cell.run
    if run is not None and cell.test_set is not None:
        predicted = [[int(number) for number in row.split()] for row in run["predictions"]]
        values = {name: [_numbers(line) for line in rows] for name, rows in cell.values.items()}
        run = {**run, "predictions": {**test_sets[cell.test_set], "predicted": predicted, "values": values}}
    return Planned(
        identity=cell.identity,
        key=cell.key,
        supervised=cell.supervised,
        not_applicable=cell.not_applicable,
        run=None if run is None else Run.model_validate(run),
    )


def _line(values: Sequence[float | None]) -> str:
    """Numbers that are read back as they are; whole ones without a point, `-` for a video left out.

    >>> _line([1.0, 0.1, None, 0.0])
    '1 0.1 - 0'
    """
    if not all(value is None or math.isfinite(value) for value in values):
        msg = "a value is NaN or infinite"
        raise ValueError(msg)
    return " ".join("-" if value is None else repr(float(value)).removesuffix(".0") for value in values)


def _numbers(line: str) -> list[float | None]:
    return [None if number == "-" else float(number) for number in line.split()]


def lines(board: Board) -> list[dict[str, Any]]:
    """Every cell's numbers as they are stored: accuracies as fractions, entropies in bits."""
    found = []
    for number, division in enumerate(board.divisions):
        for i, rank in zip(division.rows, division.ranks, strict=True):
            row = board.rows[i]
            cells = [
                {
                    "evaluator": column.evaluator.label,
                    "data": column.data.label,
                    "metric": column.metric.id,
                    "status": cell.status,
                    "interval": cell.interval and dataclasses.asdict(cell.interval),
                    "chance": cell.baseline,
                    "others": {
                        metric.id: dataclasses.asdict(measure)
                        for metric, measure in zip(column.card.metrics, cell.measures, strict=False)
                        if metric is not column.metric and measure.interval
                    },
                    "videos": cell.videos,
                    "groups": cell.groups,
                }
                for column, cell in zip(board.columns, row.cells, strict=True)
            ]
            names = dict(zip(("method", "backbone", "pretraining"), row.parts, strict=False))
            ranks = rank and {"place": rank.place, "low": rank.low, "high": rank.high, "mean": rank.mean}
            found.append({**names, "reference": row.supervised, "division": number, "rank": ranks, "cells": cells})
    return found
