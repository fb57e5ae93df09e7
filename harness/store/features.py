"""Features on disk: mapped arrays, written batch by batch, resumed after a kill.

A checksum stands behind the values, where readers of NumPy's format do not look.
"""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import time
import tokenize
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.lib.format import open_memmap

from harness.errors import StoreError
from harness.store.faults import storing
from harness.system import progress
from harness.system.checksums import BLOCK, checksum, row_checksums
from harness.system.damage import FOLDER, set_aside

LARGE = 10**9
"""Size in bytes from which the disk space needed is reported first."""

Array = np.ndarray[Any, Any]
_DAMAGED = (ValueError, TypeError, OverflowError, SyntaxError, EOFError, tokenize.TokenError)
"""Errors that NumPy raises for files that are not whole."""
TRUSTED = 24 * 60 * 60
"""Seconds for which a file that was verified is read without another look.

Its inode, size and times have to be as they were. To hash what the page cache holds is fast, and yet costs up to a
quarter of reading it.
"""


class FeatureFile:
    """File of one feature key, under `.partial` names while it is written.

    Args:
        folder: where feature files lie; made when the first one is written.
        key: of the features.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.npy"
        self._values = folder / f"{key}.partial.npy"
        self._written = folder / f"{key}.partial.rows"
        self._verified = folder / f"{key}.verified"

    def read(self, rows: int) -> Array | None:
        """Map the complete features; None where there are none.

        Damaged ones are named and set aside. The checksum is compared unless it was within the last day.

        Args:
            rows: that they have to have.

        Raises:
            StoreError: when the disk cannot be read.
        """
        try:
            stored = self._map()
        except FileNotFoundError:
            return None
        except DamagedError as error:
            self.set_aside(str(error))
            return None
        if len(stored) == rows:
            return stored
        self.set_aside(f"expected {rows} rows, got {len(stored)}")
        return None

    def damage(self) -> str:
        """Say how the complete features are damaged; empty when they are whole.

        Raises:
            FileNotFoundError: when there are none.
            StoreError: when the disk cannot be read.
        """
        try:
            self._map(trusted=0)
        except DamagedError as error:
            return str(error)
        return ""

    def is_checked(self) -> bool:
        """True when a checksum is stored with them; older versions stored none."""
        return bool(_trailer(self.path, open_memmap(self.path, mode="r")))

    def set_aside(self, problem: str) -> None:
        """Move damaged features away, and say so."""
        folder = self.path.parent
        progress.say(f"{set_aside(self.path, folder.parent / FOLDER / folder.name, problem)}; encoding again")

    def _map(self, trusted: float = TRUSTED) -> Array:
        """Map the complete features, verified within the last `trusted` seconds or now.

        Raises:
            FileNotFoundError: when there are none.
            DamagedError: when they are not as they were written.
            StoreError: when the disk cannot be read.
        """
        with storing(self.path.parent.parent):
            try:
                stored = open_memmap(self.path, mode="r")
                if not self._is_trusted(trusted) and (written := _trailer(self.path, stored)):
                    if written != _sealed(self.path, stored):
                        msg = "its bytes are not those that were written"
                        raise DamagedError(msg)
                    self._trust()
            except _DAMAGED as error:
                raise DamagedError(str(error)) from error
        return stored

    def _is_trusted(self, seconds: float) -> bool:
        """True when these very features were verified within the last `seconds`."""
        try:
            passed = time.time() - self._verified.stat().st_mtime
            return 0 <= passed < seconds and self._verified.read_text(encoding="utf-8") == self._identity()
        except OSError:
            return False

    def _trust(self) -> None:
        """Note that the features are verified, where that can be noted."""
        with contextlib.suppress(OSError):
            self._verified.write_text(self._identity(), encoding="utf-8")

    def _identity(self) -> str:
        state = self.path.stat()
        return f"{state.st_ino} {state.st_size} {state.st_mtime_ns} {state.st_ctime_ns}"

    def partial(self, shape: tuple[int, ...], dtype: str) -> tuple[Array, Array]:
        """Map values of `shape`, and for each row its checksum, 0 while it is not written.

        Those of a process that was killed are gone on with when shape and type are the same. Rows that are not what
        their checksums say count as not written: a disk that loses power may have kept the one without the other.

        Raises:
            StoreError: when the disk has not the room, or cannot be written.
        """
        with storing(self.path.parent.parent):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._expect_room(math.prod(shape) * np.dtype(dtype).itemsize)
            with contextlib.suppress(FileNotFoundError, *_DAMAGED):
                values: Array = open_memmap(self._values, mode="r+")
                written: Array = np.memmap(self._written, dtype=np.uint64, mode="r+")
                if values.shape == shape and values.dtype == dtype and len(written) == shape[0]:
                    _reserve(self._values)
                    _forget_lost(values, written)
                    return values, written
            # Before the values, so that no old checksum speaks of new rows.
            self._written.write_bytes(bytes(8 * shape[0]))
            new = open_memmap(self._values, mode="w+", dtype=np.dtype(dtype), shape=shape)
            _reserve(self._values)
            return new, np.memmap(self._written, dtype=np.uint64, mode="r+")

    def _expect_room(self, size: int) -> None:
        """Expect the disk to have `size` bytes, those that are written already counted."""
        folder = self.path.parent
        free = shutil.disk_usage(folder).free
        try:
            # The file is as long as it will be, some with holes; Windows tells no blocks.
            missing = size - 512 * getattr(self._values.stat(), "st_blocks", 0)
        except OSError:
            missing = size
        needs = f"features of {size / 1e9:,.1f} GB in {folder}, which has {free / 1e9:,.1f} GB free"
        if missing > free:
            msg = f"{needs}: set HARNESS_HOME to a larger disk, or `precision: float16` for half of it"
            raise StoreError(msg)
        if size >= LARGE:
            progress.say(needs)

    def discard(self) -> None:
        """Forget what is written and not complete."""
        for path in (self._written, self._values):
            path.unlink(missing_ok=True)

    def complete(self) -> Array:
        """Give the written values their own name, and map them.

        Raises:
            StoreError: when the disk cannot be written.
        """
        with storing(self.path.parent.parent):
            values: Array = open_memmap(self._values, mode="r")
            end = _end(values)
            with self._values.open("r+b") as file:
                if file.seek(0, os.SEEK_END) > end:
                    file.truncate(end)  # what a killed process wrote behind them
                file.seek(end)
                file.write(_sealed(self._values, values))
                file.flush()
                os.fsync(file.fileno())
            del values
            self.path.with_suffix(".json").unlink(missing_ok=True)  # says where earlier ones came from
            self._values.replace(self.path)
            self._written.unlink()
            self._trust()
            stored: Array = open_memmap(self.path, mode="r")
            return stored


class DamagedError(ValueError):
    """A file that is not as it was written."""


def _reserve(path: Path) -> None:
    """Fill the holes of a file: a mapped one that outgrows the disk kills a process."""
    if hasattr(os, "posix_fallocate"):
        with path.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _forget_lost(values: Array, written: Array) -> None:
    """Set to 0 the checksums of rows that are not what they say."""
    marked = np.flatnonzero(written)
    rows = max(1, BLOCK // max(1, values[:1].nbytes))
    for start in range(0, len(marked), rows):
        block = marked[start : start + rows]
        written[block[written[block] != row_checksums(values[block])]] = 0


def _end(values: Array) -> int:
    """Position in the file behind mapped values."""
    return int(cast("np.memmap[Any, Any]", values).offset) + values.nbytes


def _sealed(path: Path, values: Array) -> bytes:
    """Line with the checksum of a file: its header, and its values as they are mapped.

    The pages that are touched here are not faulted in again when the values are read.
    """
    with path.open("rb") as file:
        header = file.read(_end(values) - values.nbytes)
    return f"\nxxh3-128 {checksum(header, values.reshape(-1).view(np.uint8).data)}\n".encode()


def _trailer(path: Path, values: Array) -> bytes:
    """Line behind the values of a file; empty where an older version wrote them."""
    with path.open("rb") as file:
        file.seek(_end(values))
        return file.read(256)
