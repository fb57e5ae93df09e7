"""Atomic writing of files, also under `kill -9` or on a full disk."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_LOST = {errno.EIO, errno.ENOSPC, errno.EDQUOT}
"""Errors of a sync after which what was written may be lost."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block ends well.

    When the block raises, `path` is as it was and the temporary file is gone. A full disk, of which Python tells no
    file, names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = None
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with temporary.open("r+b") as file:  # Windows syncs no file that is open for reading
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.filename is None and error.errno in _FULL:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes `folder`, new or empty, after the block.

    When the block raises, `folder` is as it was and the temporary one is gone. An empty folder that is there stays, as
    somebody may stand in it, and gets what the temporary one has.
    """
    place = folder if folder.exists() else folder.parent
    place.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=place, prefix=f".{folder.name}-"))
    try:
        yield temporary
        if place is folder:
            for path in temporary.iterdir():
                path.rename(folder / path.name)
            temporary.rmdir()
        else:
            temporary.chmod(0o755)
            temporary.replace(folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def sync_folder(folder: Path) -> None:
    """Write the names in a folder to the disk, where that can be done.

    Windows opens no folder, and some network disks sync none; the file itself is written all the same.
    """
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno in _LOST:
            raise
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, atomically."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, atomically."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def copy(source: Path, path: Path) -> None:
    """Write what another file holds, atomically."""
    with replacing(path) as temporary:
        shutil.copyfile(source, temporary)


def write_json(path: Path, value: Any) -> None:
    """Write `value` as sorted JSON, atomically.

    Raises:
        ValueError: when a number is NaN or infinite, which JSON has no word for.
    """
    write_text(path, json_text(value))


def json_text(value: Any) -> str:
    """Text of sorted JSON as it is written into files.

    Raises:
        ValueError: when a number is NaN or infinite, which JSON has no word for.
    """
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    try:
        text.encode()
    except UnicodeEncodeError:  # half a character, as names of files may have, which JSON can spell out
        return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"
    return text
