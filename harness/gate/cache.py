"""Folders that a gate makes once and uses again: checkouts and environments."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import filelock

KEPT = 8
"""Folders of a kind that are kept; an environment with PyTorch has a gigabyte."""

IN_USE = 6 * 3600
"""Seconds after its last use during which a folder may be in use, and is kept."""


@contextmanager
def cached(folder: Path) -> Iterator[bool]:
    """Yield True if a folder is complete; else the block has to make it.

    Others who want it wait meanwhile. A part that a failure or a kill left is removed before the block, and of all
    folders of its kind (`<kind>-<key>`) only the `KEPT` that were used last stay, and those that may be in use.

    Args:
        folder: in the cache.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    done = _done(folder)
    with filelock.FileLock(f"{folder}.lock"):
        complete = done.is_file() and folder.is_dir()
        if not complete:
            done.unlink(missing_ok=True)
            shutil.rmtree(folder, ignore_errors=True)
        yield complete
        done.touch()
    kind = folder.name.partition("-")[0]
    used = sorted(folder.parent.glob(f"{kind}-*.done"), key=lambda path: path.stat().st_mtime_ns)
    for old in [path for path in used[:-KEPT] if path.stat().st_mtime < time.time() - IN_USE]:
        old.unlink(missing_ok=True)
        shutil.rmtree(old.with_suffix(""), ignore_errors=True)


def _done(folder: Path) -> Path:
    """File that marks a folder as complete, and by its time as last used."""
    return folder.with_name(f"{folder.name}.done")
