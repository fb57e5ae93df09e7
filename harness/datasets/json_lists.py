"""Lists that a data set is published with as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError

REMEDY = "get the official lists again"

_KINDS = {str: "a text", int: "a whole number"}


def read_json(path: Path) -> Any:
    """Read a file in JSON; a byte order mark at its start is no part of it.

    Raises:
        DataError: when it cannot be read, in one line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        msg = f"{path}: cannot be read as JSON ({' '.join(str(error).split())}); {REMEDY}"
        raise DataError(msg) from error


def read_objects(path: Path, keys: Mapping[str, type]) -> list[dict[str, Any]]:
    """Read a list of objects in JSON that have `keys`, each of its type.

    They may have others.

    Args:
        path: of the file.
        keys: those that every object has, with `str` or `int`.

    Raises:
        DataError: when it cannot be read, is no such list, or an object lacks a key or has something else there,
            naming the object, counted from 1.
    """
    rows = read_json(path)
    if not isinstance(rows, list):
        msg = f"{path}: should be a list of objects, and is none; {REMEDY}"
        raise DataError(msg)
    for number, row in enumerate(rows, start=1):
        for key, kind in keys.items():
            value = row.get(key) if isinstance(row, dict) else None
            if type(value) is not kind:  # true and false are no numbers
                msg = f"{path}, entry {number}: {key!r} should be {_KINDS[kind]}, and is {value!r}; {REMEDY}"
                raise DataError(msg)
    return rows
