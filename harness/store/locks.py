"""Locks of a store, by which processes share its work."""

from __future__ import annotations

from pathlib import Path

import filelock


def lock(store: Path, name: str) -> filelock.BaseFileLock:
    """Lock of a name in a store, which the system frees when its process dies."""
    folder = store / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(folder / f"{name}.lock")
