"""Features on disk: mapped arrays, written batch by batch, resumed after a kill."""

from __future__ import annotations

import math
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap

from harness.errors import DataError
from harness.system import progress

LARGE = 10**9
"""Bytes of features from which on their size is said before they are encoded."""

Array = np.ndarray[Any, Any]


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

    def read(self, rows: int) -> Array | None:
        """Map the complete features; None where there are none or they are damaged.

        Args:
            rows: that they have to have.
        """
        try:
            stored: Array = open_memmap(self.path, mode="r")
            if len(stored) != rows:
                msg = f"expected {rows} rows, got {len(stored)}"
                raise ValueError(msg)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            progress.say(f"{self.path}: unreadable features ({error}); encoding again")
            return None
        return stored

    def partial(self, shape: tuple[int, ...], dtype: str) -> tuple[Array, Array]:
        """Map values of `shape`, and a flag for each row that is written.

        Those of a process that was killed are gone on with when shape and type are the same.

        Raises:
            DataError: when the disk has not the room.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._expect_room(math.prod(shape) * np.dtype(dtype).itemsize)
        try:
            values: Array = open_memmap(self._values, mode="r+")
            written: Array = np.memmap(self._written, dtype=np.uint8, mode="r+")
            if values.shape == shape and values.dtype == dtype and len(written) == shape[0]:
                return values, written
        except (OSError, ValueError):
            pass
        self._written.write_bytes(bytes(shape[0]))  # before the values, so that no old flag speaks of new rows
        new = open_memmap(self._values, mode="w+", dtype=np.dtype(dtype), shape=shape)
        return new, np.memmap(self._written, dtype=np.uint8, mode="r+")

    def _expect_room(self, size: int) -> None:
        """Expect the disk to have `size` bytes, those that are written already counted."""
        folder = self.path.parent
        free = shutil.disk_usage(folder).free
        try:
            # The file is as long as it will be, with holes; Windows tells no blocks.
            missing = size - 512 * getattr(self._values.stat(), "st_blocks", 0)
        except OSError:
            missing = size
        needs = f"features of {size / 1e9:,.1f} GB in {folder}, which has {free / 1e9:,.1f} GB free"
        if missing > free:  # a mapped file that outgrows the disk would kill the process
            msg = f"{needs}: set HARNESS_HOME to a larger disk, or `precision: float16` for half of it"
            raise DataError(msg)
        if size >= LARGE:
            progress.say(needs)

    def discard(self) -> None:
        """Forget what is written and not complete."""
        for path in (self._written, self._values):
            path.unlink(missing_ok=True)

    def complete(self) -> Array:
        """Give the written values their own name, and map them."""
        with self._values.open("rb") as file:
            os.fsync(file.fileno())
        self._values.replace(self.path)
        self._written.unlink()
        stored: Array = open_memmap(self.path, mode="r")
        return stored
