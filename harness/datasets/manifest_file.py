"""Rows of a manifest, from a CSV or a JSON file."""

from __future__ import annotations

import csv
import json
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.system.presence import is_file

REQUIRED = ("path", "split", "label")
"""Columns of every manifest.

`label` may be left out where there is a set of classes or a target.
"""
SETS = "labels:"
"""Prefix of the column of a multi-label kind: `labels:objects`."""
BETWEEN = ";"
"""Sign between the names of a set of classes in a cell."""
TARGET = "target:"
"""Prefix of the column of a number, for regression: `target:age`."""


def required(keys: Collection[str]) -> tuple[str, ...]:
    """Columns that a file with the columns `keys` has to have."""
    others = any(key.startswith((SETS, TARGET)) for key in keys)
    return tuple(key for key in REQUIRED if key != "label" or not others)


def read(file: Path) -> Iterator[Mapping[str, Any]]:
    """Read the rows of a manifest.

    Sets of classes and numbers of JSON become the texts that CSV has.

    Raises:
        DataError: when it is no CSV file with the required columns nor a JSON list of objects, or a set or a number is
            none, naming the row, counted from 1.
    """
    suffix = file.suffix.lower()
    try:
        if suffix not in (".csv", ".json") or not is_file(file):
            msg = f"{file}: a manifest is a file named *.csv or *.json; correct the path with `harness dataset add`"
            raise DataError(msg)
        text = file.read_text(encoding="utf-8-sig")
        return iter(_csv(text, file) if suffix == ".csv" else _json(text, file))
    except (OSError, ValueError, RecursionError, csv.Error) as error:
        what = " ".join(str(error).split())
        msg = f"{file}: cannot be read as {suffix[1:].upper()} ({what}); correct it"
        raise DataError(msg) from error


def _csv(text: str, file: Path) -> list[dict[str, str]]:
    header, *rows = [cells for cells in csv.reader(text.splitlines(keepends=True), strict=True) if cells] or [[]]
    columns = required(header)
    if len(set(header)) != len(header) or not set(columns) <= set(header):
        exactly = ", ".join(map(repr, header)) or "none"
        msg = f"{file}: the columns should be {', '.join(columns)}, each once and without spaces; they are {exactly}"
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
        for key, value in row.items():
            if key.startswith((SETS, TARGET)):
                row[key] = _as_cell(key, value, f"{file}, row {number}")
    return rows


def _as_cell(key: str, value: Any, where: str) -> str:
    """Text that a set of classes, or a number, is in a CSV file.

    Raises:
        DataError: when it is no list of texts, or no number.
    """
    if key.startswith(TARGET):
        if isinstance(value, int | float) and not isinstance(value, bool):
            return repr(value)
        wanted = "a number"
    elif isinstance(value, list) and all(isinstance(one, str) and one and BETWEEN not in one for one in value):
        return BETWEEN.join(value)
    else:
        wanted = f"a list of texts that are not empty and without {BETWEEN!r}"
    msg = f"{where}: {key!r} should be {wanted}, and is {value!r}; correct the manifest"
    raise DataError(msg)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        msg = f"an object with a key twice: {', '.join(key for key, _ in pairs)}"
        raise ValueError(msg)
    return unique
