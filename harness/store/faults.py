"""Faults of the store's disk: no space, no permission, read-only, broken."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from harness.errors import StoreError
from harness.system import paths
from harness.system.text import printable

_SHORT = 0
"""Stands for files that libraries could not write to their end."""
_FULL = {_SHORT, errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_FOLDER = {errno.ENOTDIR, errno.EEXIST}
_PROBLEMS = {
    _SHORT: "a file could not be written to its end: no space left, or a limit of the process (`ulimit -f`)",
    errno.ENOSPC: "no space left on the disk",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file is larger than the disk or the limit of the process allows (`ulimit -f`)",
    errno.EROFS: "the disk is mounted read-only",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EIO: "the disk gives input/output errors",
    errno.ESTALE: "the network disk is gone",
    errno.ENODEV: "the disk is gone",
    errno.ENXIO: "the disk is gone",
}
_FILE = "a folder is expected and this is a file"
_SHORT_WRITE = re.compile(r"\d+ requested and \d+ written|inline_container.*(unexpected pos|write failed|iostream)")
"""Words of NumPy and PyTorch for a file that could not be written to its end."""
_NUMBER = re.compile(r"\(os error (\d+)\)")
_PATH = re.compile(r'at path "(.+)"')
_MEANINGS = {os.strerror(number): number for number in _PROBLEMS if number != _SHORT}


def store_fault(error: BaseException, folder: Path) -> str:
    """Say in one line how the store failed; empty for an error that is not its own.

    Errors that `error` came from are looked at too. An error that names no file is the store's when the disk is full,
    or when the store cannot be written now.

    Args:
        error: raised by anything that read or wrote.
        folder: of the store; what lies beside it in the home folder counts as its own.
    """
    for one in _chain(error):
        if isinstance(one, StoreError):
            return str(one)
        number, path = _number(one), _path(one)
        own = path is not None and _within(path, folder)
        if number in _PROBLEMS and (own or (path is None and number in _FULL)):
            return _line(path or folder, _PROBLEMS[number])
        if number in _PROBLEMS and path is None and (problem := unusable(folder)):  # only the words of a library
            return problem
        if number in _NO_FOLDER and own and path is not None and _in_the_way(culprit := _existing(path), folder):
            return _line(culprit, _FILE)
    return ""


@contextlib.contextmanager
def storing(folder: Path) -> Iterator[None]:
    """Turn faults of the disk into an error that stops the run.

    Raises:
        StoreError: when the store cannot be read or written.
    """
    try:
        yield
    except OSError as error:
        if problem := store_fault(error, folder):
            raise StoreError(problem) from error
        raise


def expect_usable(folder: Path) -> None:
    """Expect that the folders of a store can be made and written.

    Raises:
        StoreError: when one cannot.
    """
    if problem := unusable(*folders(folder)):
        raise StoreError(problem)


def folders(store: Path) -> list[Path]:
    """A store's folder, and those in it that the harness writes."""
    return [store, *(store / name for name in ("runs", "fits", "features", "locks"))]


def unusable(*folders: Path) -> str:
    """Say in one line why folders cannot be made or written; empty when they can.

    A few bytes are written to find out, and removed.
    """
    for folder in dict.fromkeys(map(_existing, folders)):
        if not folder.is_dir():
            return _line(folder, _FILE)
        try:
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(bytes(4096))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            return _line(folder, _PROBLEMS.get(error.errno or -1, str(error)))
    return ""


def _line(path: Path, problem: str) -> str:
    if problem in (_PROBLEMS[_SHORT], _PROBLEMS[errno.ENOSPC]):
        places = {_existing(path): "there", Path(tempfile.gettempdir()): f"in {tempfile.gettempdir()}"}
        free = (f"{shutil.disk_usage(place).free / 1e9:,.1f} GB free {name}" for place, name in places.items())
        problem += f" ({', '.join(free)})"
    return (
        f"{printable(str(path))}: {problem}; mend that, or move the folder of HARNESS_HOME (now "
        f"{printable(str(paths.home()))}) and set the variable to its new place; the same command then goes on"
    )


def _in_the_way(path: Path, folder: Path) -> bool:
    """True for a file where a store has its folders; others are a plugin's own."""
    return not path.is_dir() and (folder.is_relative_to(path) or path.parent == folder)


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if os.path.lexists(one))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, and those that it was raised from or while handling."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [other for other in (one.__context__, one.__cause__) if other is not None]


def _number(error: BaseException) -> int | None:
    """Number of the system's error, also where a library has only its words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    text = _text(error)
    if told := _NUMBER.search(text):
        return int(told[1])
    if _SHORT_WRITE.search(text):
        return _SHORT
    if "inline_container" in text:
        return next((number for words, number in _MEANINGS.items() if text.endswith(words)), None)
    return None


def _path(error: BaseException) -> Path | None:
    """File that an error names."""
    if isinstance(error, OSError) and isinstance(error.filename, (str, bytes, os.PathLike)):
        return Path(os.fsdecode(error.filename))
    named = _PATH.search(_text(error))
    return Path(named[1]) if named else None


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # a plugin's, which cannot say what it is
        return ""


def _within(path: Path, folder: Path) -> bool:
    """True for a path in the store or the home folder, or a folder around them."""
    own = Path(os.path.realpath(path))
    places = [Path(os.path.realpath(place)) for place in (folder, paths.home())]
    return any(own.is_relative_to(place) or place.is_relative_to(own) for place in places)
