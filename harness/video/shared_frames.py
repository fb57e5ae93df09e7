"""Decoded videos that the processes of a run share, in files that end with it."""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import filelock
import numpy as np
import torch
from torch import Tensor

PREFIX = "harness-frames-"
MEMORY = Path("/dev/shm")  # noqa: S108 - folders in it are made by mkdtemp
"""Files in memory, on Linux."""
LIMIT = 2 * 2**30
"""Bytes of decoded frames in a folder."""
SMALLEST = 2**18
"""Bytes of a shared video; smaller ones decode fast, and mapped files are limited."""
YOUNG = 60
"""Seconds in which a new folder is locked by its process."""
_USED = "used"
_AXES = 4
"""Axes of frames (T, H, W, C), whose sizes stand before them."""


@contextlib.contextmanager
def shared_folder() -> Iterator[Path]:
    """Make a folder for the block; those that killed processes left are removed."""
    place = _place()
    for left in place.glob(f"{PREFIX}*"):
        _remove_if_left(left)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    try:
        with filelock.FileLock(folder / _USED):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class SharedFrames:
    """Decoded videos in a folder, by a name of each.

    Args:
        folder: see `shared_folder`.
        limit: bytes, beyond which no more are added.
    """

    def __init__(self, folder: Path, limit: int = LIMIT) -> None:
        self._folder = folder
        self._limit = limit
        self._bytes = self._unseen = 0
        self._open = True

    def read(self, name: str) -> Tensor | None:
        """Map a video's frames, changes of which stay here; None where there are none."""
        try:
            with self._path(name).open("rb") as file:
                content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError:
            return None
        shape = np.frombuffer(content, np.int64, _AXES).tolist()
        return torch.frombuffer(content, dtype=torch.uint8, offset=8 * _AXES).view(shape)

    def write(self, name: str, frames: Tensor) -> Tensor:
        """Add a video's frames where there is room; gives them, mapped if they were added."""
        if frames.nbytes < SMALLEST or not self._has_room(frames.nbytes):
            return frames
        path = self._path(name)
        partial = path.with_suffix(f".{os.getpid()}-{time.monotonic_ns()}")
        try:
            with partial.open("xb") as file:
                file.write(np.array(frames.shape, np.int64).tobytes())
                file.write(np.ascontiguousarray(frames.numpy()).data)
            partial.replace(path)
        except OSError:  # no room in memory, or the run has ended
            self._open = False
            with contextlib.suppress(OSError):
                partial.unlink()
            return frames
        mapped = self.read(name)
        return frames if mapped is None else mapped

    def _path(self, name: str) -> Path:
        return self._folder / f"{hashlib.sha256(name.encode(errors='surrogateescape')).hexdigest()[:32]}.frames"

    def _has_room(self, more: int) -> bool:
        """True while more bytes fit, by a count that is taken anew now and then."""
        self._unseen += more
        if self._open and (not self._bytes or self._unseen > self._limit // 16):
            self._bytes, self._unseen = _size(self._folder), more
        self._open = self._open and self._bytes + self._unseen <= self._limit
        return self._open


def _place() -> Path:
    """The place in memory, if it has room; else the one for temporary files."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(MEMORY).free >= LIMIT:
            return MEMORY
    return Path(tempfile.gettempdir())


def _remove_if_left(folder: Path) -> None:
    with contextlib.suppress(OSError, filelock.Timeout):
        status = folder.lstat()
        if time.time() - status.st_mtime < YOUNG or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
            return
        with filelock.FileLock(folder / _USED, timeout=0):
            shutil.rmtree(folder, ignore_errors=True)


def _size(folder: Path) -> int:
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        return sum(entry.stat().st_size for entry in entries)
    return 0
