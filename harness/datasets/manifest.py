"""`manifest`: videos or images that a CSV or JSON file lists."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.cards import NAME
from harness.datasets import cards
from harness.datasets.file_names import plain
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.cards import DatasetCard

REQUIRED = ("path", "split", "label")
GROUP = "group"
WHOLE = (0.0, math.inf)
"""Seconds of a whole file."""
SEGMENT = ("start", "end")
"""Columns of a part of a file, in seconds."""
FURTHER = "label:"
"""Prefix of the column of a further kind of label: `label:scene`."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


class _Card:
    """Card of the class; of an object with the kinds of labels that its file has."""

    def __get__(self, data: Manifest | None, owner: type[Manifest]) -> DatasetCard:
        return cards.MANIFEST if data is None else dataclasses.replace(cards.MANIFEST, labels=tuple(data.columns))


class Manifest(ListedDataset):
    """Videos or images that a CSV file, or a JSON file with a list of objects, names.

    Expected: the place that is told is the file, named `*.csv` (UTF-8, with a line of column names) or `*.json`. Its
    columns, or keys, are `path` (below the file's own folder, with `/`), `split` (`train` or `test`), `label` (the
    name of the class of kind `action`), where wanted `group` (may be empty), `start` and `end` (seconds, both or
    none; a part of a long file is then a video, and its group the file unless it has one), and `label:<kind>` for each
    further kind of label. All are texts without spaces around them. Classes are in the order of their names, over both
    splits, and train has every `label` of test.
    """

    card = _Card()

    @cached_property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.location.parent

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the file.

        Raises:
            DataError: when it is wrong, naming the row, counted from 1.
        """
        classes = {kind: tuple(sorted({row[key] for row in self._rows})) for kind, key in self.columns.items()}
        numbers = {kind: {label: number for number, label in enumerate(names)} for kind, names in classes.items()}
        files = [
            ListedFile(
                path=row["path"],
                id=_id(row),
                seconds=_seconds(row),
                labels={kind: numbers[kind][row[key]] for kind, key in self.columns.items()},
                group=_group(row),
            )
            for row in self._rows
            if row["split"] == name
        ]
        return files, classes

    @property
    def columns(self) -> dict[str, str]:
        """Column of each kind of label."""
        further = (key for key in self._rows[0] if key.startswith(FURTHER))
        return {"action": "label", **{key.removeprefix(FURTHER): key for key in further}}

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        """Checked rows of the file."""
        file, rows = self.location, []
        paths: dict[tuple[str, tuple[float, float]], int] = {}
        sides: dict[str, str] = {}
        keys: set[str] = set()
        for number, row in enumerate(_read(file), start=1):
            keys = keys or set(row)
            problem = _problem(row, keys)
            if not problem and (first := paths.setdefault((row["path"], _seconds(row) or WHOLE), number)) != number:
                problem = f"{_id(row)!r} is in row {first} already"
            group = "" if problem else _group(row)
            if not problem and group and sides.setdefault(group, row["split"]) != row["split"]:
                problem = f"group {group!r} is in train and in test"
            if problem:
                msg = f"{file}, row {number}: {problem}; correct the manifest"
                raise DataError(msg)
            rows.append({key: plain(text) for key, text in row.items()})
        if not rows:
            msg = f"{file}: names no videos; fill it with the columns {', '.join(REQUIRED)}"
            raise DataError(msg)
        _expect_known_classes(file, rows)
        _expect_apart(file, rows)
        return rows


def _expect_apart(file: Path, rows: list[dict[str, str]]) -> None:
    """Expect that no second of a file is in both splits."""
    of_file: dict[str, list[tuple[float, float, int]]] = {}
    for number, row in enumerate(rows, start=1):
        of_file.setdefault(row["path"], []).append((*(_seconds(row) or WHOLE), number))
    for parts in of_file.values():
        until: dict[str, tuple[float, int]] = {}
        for start, end, number in sorted(parts):
            split = rows[number - 1]["split"]
            for other, (latest, earlier) in until.items():
                if other != split and start < latest:
                    shared = f"it has seconds of row {earlier}, which is in {other}"
                    msg = f"{file}, row {number}: {shared}; correct the manifest"
                    raise DataError(msg)
            until[split] = max(until.get(split, (0.0, 0)), (end, number))


def _seconds(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Start and end of a row's part of its file; None for the whole."""
    start, end = (row.get(key, "") for key in SEGMENT)
    return (float(start), float(end)) if start and end else None


def _id(row: Mapping[str, str]) -> str:
    """Name of a row's video: its path, with the seconds of a part."""
    return row["path"] if _seconds(row) is None else f"{row['path']} {row['start']}-{row['end']}"


def _group(row: Mapping[str, str]) -> str:
    """Group of a row's video; parts of one file are one group unless they have others."""
    return row.get(GROUP, "") or ("" if _seconds(row) is None else row["path"])


def _expect_known_classes(file: Path, rows: list[dict[str, str]]) -> None:
    known = {row["label"] for row in rows if row["split"] == "train"}
    for number, row in enumerate(rows, start=1):
        if known and row["label"] not in known:
            msg = f"{file}, row {number}: no row of train has the label {row['label']!r}; add one, or remove this"
            raise DataError(msg)


def _problem(row: Mapping[str, Any], keys: set[str]) -> str:
    """Describe what is wrong with a row by itself; empty when nothing is."""
    for key in sorted(row):
        kind = key.removeprefix(FURTHER)
        if key not in (*REQUIRED, GROUP, *SEGMENT) and not (kind != key and kind != "action" and NAME.fullmatch(kind)):
            return f"unknown column {key!r}; there are {', '.join((*REQUIRED, GROUP, *SEGMENT))} and {FURTHER}<kind>"
        if not isinstance(row[key], str):
            return f"{key!r} is not a text, but {row[key]!r}"
        if row[key] != row[key].strip():
            return f"{key!r} is {row[key]!r}, with spaces around it"
    optional = {GROUP, *SEGMENT}
    for key in sorted({*REQUIRED, *(keys - optional)}):
        if not row.get(key):
            return f"{key!r} is missing, or empty"
    extra = sorted(set(row) - keys - optional)
    if extra:
        return f"{extra[0]!r} is in this row and not in the first; every row needs the same kinds of labels"
    if row["split"] not in cards.MANIFEST.splits:
        return f"split {row['split']!r} should be train or test"
    start, end = (row.get(key, "") for key in SEGMENT)
    if (start or end) and not (_NUMBER.fullmatch(start) and _NUMBER.fullmatch(end) and float(start) < float(end)):
        return f"start {start!r} and end {end!r} should be seconds, the start first, or both be empty"
    path = PurePosixPath(row["path"])
    if path.is_absolute() or ".." in path.parts or _CONTROL.search(row["path"]) or str(path) != row["path"]:
        return f"path {row['path']!r} should lead straight to a file below the manifest's folder, with /"
    return ""


def _read(file: Path) -> Iterator[Mapping[str, Any]]:
    suffix = file.suffix.lower()
    if suffix not in (".csv", ".json") or not file.is_file():
        msg = f"{file}: a manifest is a file named *.csv or *.json; correct the path with `harness dataset add`"
        raise DataError(msg)
    try:
        text = file.read_text(encoding="utf-8-sig")
        return iter(_csv(text, file) if suffix == ".csv" else _json(text, file))
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        what = " ".join(str(error).split())
        msg = f"{file}: cannot be read as {suffix[1:].upper()} ({what}); correct it"
        raise DataError(msg) from error


def _csv(text: str, file: Path) -> list[dict[str, str]]:
    header, *rows = [cells for cells in csv.reader(text.splitlines(keepends=True), strict=True) if cells] or [[]]
    if len(set(header)) != len(header) or not set(REQUIRED) <= set(header):
        exactly = ", ".join(map(repr, header)) or "none"
        msg = f"{file}: the columns should be {', '.join(REQUIRED)}, each once and without spaces; they are {exactly}"
        raise DataError(msg)
    for number, cells in enumerate(rows, start=1):
        if len(cells) != len(header):
            msg = f"{file}, row {number}: {len(cells)} cells, {len(header)} columns; correct the manifest"
            raise DataError(msg)
    return [dict(zip(header, cells, strict=True)) for cells in rows]


def _json(text: str, file: Path) -> list[dict[str, Any]]:
    rows = json.loads(text, object_pairs_hook=_once)
    if not isinstance(rows, list):
        msg = f"{file}: should be a list of objects, and is none; correct the manifest"
        raise DataError(msg)
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, dict):
            msg = f"{file}, row {number}: {row!r} is no object; correct the manifest"
            raise DataError(msg)
    return rows


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        msg = f"an object with a key twice: {', '.join(key for key, _ in pairs)}"
        raise ValueError(msg)
    return unique
