"""Bytes that runs and the other things of a store take on disk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.store import class_scores
from harness.system.damage import FOLDER

if TYPE_CHECKING:
    from harness.store.records import Run
    from harness.store.runs import Store


def size_of(*paths: Path) -> int:
    """Bytes of files, and of all files in folders; missing ones have none."""
    return sum(_sizes(paths))


def _sizes(paths: Iterable[Path]) -> Iterable[int]:
    for path in paths:
        for file in path.rglob("*") if path.is_dir() else [path]:
            with contextlib.suppress(OSError):  # gone by now
                status = file.lstat()
                yield 0 if file.is_dir() else status.st_size


def run_size(store: Store, run: Run) -> int:
    """Bytes of a run's record, pictures and class scores."""
    pictures = (store.picture(run.key, name) for name in run.pictures)
    return size_of(store.path(run.key), *pictures, store.class_scores_path(run.key))


def store_sizes(folder: Path) -> dict[str, int]:
    """Bytes of a store by kind: runs, fits, features, what was damaged."""
    kinds = {
        "runs": ("runs", "pictures", class_scores.FOLDER),
        "fits": ("fits",),
        "features": ("features",),
        "damaged": (FOLDER,),
    }
    sizes = {kind: size_of(*(folder / name for name in names)) for kind, names in kinds.items()}
    return {kind: size for kind, size in sizes.items() if size or kind != "damaged"}
