"""Zip files from outside, whose sizes are compared before memory is taken."""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_HEADER = 2**14
"""Bytes that numpy needs to describe an array, at most."""


def read_member(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """Read a file of an archive.

    Args:
        archive: open for reading.
        name: of the file in it.
        largest: bytes that it may have once it is unpacked.

    Raises:
        ValueError: when it has more.
        KeyError: when it is not there.
        zipfile.BadZipFile: when it is damaged.
    """
    size = archive.getinfo(name).file_size  # of which no more is unpacked
    if size > largest:
        msg = f"{name} has {size:,} bytes, expected at most {largest:,}"
        raise ValueError(msg)
    return archive.read(name)


def read_arrays(path: Path, names: Iterable[str], largest: int) -> dict[str, NDArray[Any]]:
    """Read arrays of an `.npz` by name.

    Args:
        path: the file.
        names: of arrays.
        largest: bytes that the data of each may have.

    Raises:
        ValueError: when an array is larger, not as large as it says, or holds objects; or the file is a lone array.
        KeyError: when one is not there.
        OSError, zipfile.BadZipFile: when the file cannot be read, or is damaged.
    """
    with zipfile.ZipFile(path) as archive:
        contents = {name: read_member(archive, f"{name}.npy", largest + _HEADER) for name in names}
    return {name: parse_array(name, content) for name, content in contents.items()}


def parse_array(name: str, content: bytes) -> NDArray[Any]:
    """Parse an array of NumPy's format `.npy`.

    Args:
        name: of the array, for messages.
        content: of the file.

    Raises:
        ValueError: when it is none, not as large as it says, or holds objects.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, by_columns, kind = read(file)
    if kind.hasobject:
        msg = f"{name} holds objects, expected numbers"
        raise ValueError(msg)
    size = math.prod(shape) * kind.itemsize
    if size != len(content) - file.tell():
        msg = f"{name} says that it is {shape} {kind}, {size:,} bytes, but has {len(content) - file.tell():,}"
        raise ValueError(msg)
    array: NDArray[Any] = np.frombuffer(content, kind, offset=file.tell()).copy()
    return array.reshape(shape, order="F" if by_columns else "C")


def expect_uncompressed(path: Path) -> None:
    """Check that files of a zip take as many bytes as it has; another file passes.

    Raises:
        ValueError: when they would take more.
        OSError, zipfile.BadZipFile: when it cannot be read, or is damaged.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        claimed, there = sum(member.file_size for member in archive.infolist()), path.stat().st_size
    if claimed > there:
        msg = f"its parts claim {claimed:,} bytes, it has {there:,}"
        raise ValueError(msg)
