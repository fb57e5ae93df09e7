"""Damaged files and folders, moved out of the way and never deleted."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path

from harness.system.text import printable

FOLDER = "damaged"
"""Folder of a store with what was damaged."""


def set_aside(path: Path, folder: Path, problem: str) -> str:
    """Move something damaged into a folder, never over another; one line that says so.

    It stays where it is when it cannot be moved, as on a disk that is read-only.

    Args:
        path: a file or a folder.
        folder: made when it is missing.
        problem: how it is damaged.
    """
    said = f"{printable(str(path))}: damaged ({printable(problem)})"
    names = itertools.chain([path.name], (f"{path.name}.{count}" for count in itertools.count(2)))
    target = next(place for name in names if not os.path.lexists(place := folder / name))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.move(path, target)
    except OSError as error:
        return f"{said}; it could not be set aside ({printable(str(error))})"
    return f"{said}; set aside as {printable(str(target))}"
