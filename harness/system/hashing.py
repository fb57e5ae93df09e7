"""Hashes of values and files."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def digest(value: Mapping[str, Any]) -> str:
    """Hash JSON-like `value` to 20 hexadecimal digits, whatever the order of keys.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


def file_hash(path: Path) -> str:
    """Hash the content of a file, 64 hexadecimal digits of SHA-256.

    Remembered while the process lives, as long as size, times and inode stay the same.
    """
    state = path.stat()
    return _content_hash(path, state.st_size, state.st_mtime_ns, state.st_ino)


@functools.lru_cache(maxsize=256)
def _content_hash(path: Path, *_state: int) -> str:
    sha = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            sha.update(block)
    return sha.hexdigest()
