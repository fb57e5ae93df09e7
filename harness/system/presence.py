"""Files and folders that are there, told from those that cannot be reached now.

`Path.is_file` and its like take both for absent from Python 3.14 on.
"""

from __future__ import annotations

import os
import stat
from errno import ELOOP, ENOENT, ENOTDIR
from pathlib import Path

ABSENT = frozenset((ENOENT, ENOTDIR, ELOOP))
"""Errors that say that nothing is there."""
NO_NAME = 123
"""Error of Windows for a name that no file could have."""


def status(path: Path) -> os.stat_result | None:
    """Status of a file or folder; None where nothing is.

    Raises:
        OSError: when the system does not tell, for want of a permission or because a server is gone.
    """
    try:
        return path.stat()
    except ValueError:  # no name that a file could have
        return None
    except OSError as error:
        if error.errno in ABSENT or getattr(error, "winerror", None) == NO_NAME:
            return None
        raise


def is_file(path: Path) -> bool:
    """Tell if a regular file is there.

    Raises:
        OSError: as `status`.
    """
    there = status(path)
    return there is not None and stat.S_ISREG(there.st_mode)


def is_folder(path: Path) -> bool:
    """Tell if a folder is there.

    Raises:
        OSError: as `status`.
    """
    there = status(path)
    return there is not None and stat.S_ISDIR(there.st_mode)
