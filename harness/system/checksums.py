"""Checksums by which damage to files is noticed.

They guard against disks and broken copies, not against people: they are fast, and easy to forge.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import xxhash

if TYPE_CHECKING:
    from typing_extensions import Buffer

BLOCK = 2**26
"""Bytes hashed at a time, so that a signal waits for no more."""


def checksum(*parts: Buffer) -> str:
    """Hash bytes to 32 hexadecimal digits.

    >>> checksum(b"whole") == checksum(b"wh", b"ole") != checksum(b"whale")
    True
    """
    state = xxhash.xxh3_128()
    for part in parts:
        view = memoryview(part)
        for start in range(0, len(view), BLOCK):
            state.update(view[start : start + BLOCK])
    return state.hexdigest()


def file_checksum(path: Path) -> str:
    """Hash the content of a file as `checksum` does.

    Remembered while the process lives, as long as size, times and inode stay the same.
    """
    state = path.stat()
    return _checksum(path, state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)


@functools.lru_cache(maxsize=65536)
def _checksum(path: Path, *_state: int) -> str:
    state, block = xxhash.xxh3_128(), bytearray(2**20)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(block):
            state.update(memoryview(block)[:count])
    return state.hexdigest()
