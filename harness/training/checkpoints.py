"""Checkpoints, written whole, with the hash of their content in their names."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from harness.system import files, progress
from harness.system.hashing import file_hash
from harness.training._mmengine import Hook

SECONDS = 25.0
"""Work between two checkpoints; a training shorter than this writes none."""

KEPT = 2


class Checkpoints(Hook):  # type: ignore[misc]  # mmengine has no types
    """Stores the state of a training now and then, and finds the newest intact one.

    A checkpoint's name carries the training it belongs to, its step, and the hash of its content.

    Args:
        folder: where they lie.
        identity: hash of everything the training depends on; checkpoints of others are left alone.
        every: steps between two looks at the clock.
    """

    priority = "VERY_LOW"

    def __init__(self, folder: Path, identity: str, *, every: int) -> None:
        self._folder = folder
        self._identity = identity
        self._every = every
        self._saved = time.monotonic()

    def remove_unfinished(self) -> None:
        """Remove what a killed process left of a checkpoint that it wrote."""
        for pattern in (f"{self._identity}-*.whole", f".{self._identity}-*.tmp"):
            for path in self._folder.glob(pattern):
                path.unlink(missing_ok=True)

    def newest(self) -> Path | None:
        """Newest checkpoint whose content has the hash in its name, if there is one."""
        for path in self._stored():
            if _sha(path) == path.stem.rpartition("-")[2]:
                return path
            progress.say(f"{path}: damaged checkpoint; going back to the one before")
        return None

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Save when it is time."""
        step = batch_idx + 1
        if step % self._every or step == runner.max_iters or time.monotonic() - self._saved < SECONDS:
            return
        if runner.rank == 0:
            self._save(runner, step)
        self._saved = time.monotonic()

    def _save(self, runner: Any, step: int) -> None:
        name = f"{self._identity}-{step:09d}"
        whole = self._folder / f"{name}.whole"
        with files.replacing(whole) as temporary:
            runner.save_checkpoint(str(temporary.parent), temporary.name, by_epoch=False)
        whole.replace(self._folder / f"{name}-{_sha(whole)}.pt")  # its content is on the disk, and now has a name
        files.sync_folder(self._folder)
        for old in self._stored()[KEPT:]:
            old.unlink(missing_ok=True)

    def _stored(self) -> list[Path]:
        return sorted(self._folder.glob(f"{self._identity}-*.pt"), reverse=True)


def _sha(path: Path) -> str:
    return file_hash(path)[:20]
