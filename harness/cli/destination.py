"""Places to write to, checked before anything is computed."""

from __future__ import annotations

import os
from pathlib import Path

from harness.errors import UsageError


def expect_folder(option: str, path: Path) -> None:
    """Check that a folder can be written to, and made where it is not there.

    Raises:
        UsageError: naming the option, when it cannot.
    """
    try:
        existing = next(place for place in (path, *path.parents) if _is_there(place))
    except OSError as error:
        msg = f"{option} {path}: {error.strerror}; give another folder"
        raise UsageError(msg) from error
    if not existing.is_dir():
        msg = f"{option} {path}: expected a folder, {existing} is a file; give another"
        raise UsageError(msg)
    if not os.access(existing, os.W_OK | os.X_OK):
        msg = f"{option} {path}: {existing} may not be written to; give another folder, or change its permissions"
        raise UsageError(msg)


def expect_file(option: str, path: Path) -> None:
    """Check that a file can be written.

    Raises:
        UsageError: naming the option, when it cannot.
    """
    if path.is_dir():
        msg = f"{option} {path}: expected a file, this is a folder; give a name in it"
        raise UsageError(msg)
    expect_folder(option, path.parent)


def _is_there(path: Path) -> bool:
    """Tell whether anything is there, a link to nothing too."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True
