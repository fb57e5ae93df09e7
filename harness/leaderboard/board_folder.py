"""Replacement of all files of a board, or of a site, at once."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import secrets
import shutil
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

import filelock

from harness.system import files

_EXCHANGE = 2
"""RENAME_EXCHANGE of Linux, RENAME_SWAP of macOS."""
_AT_FDCWD = -100
_DRAFT = re.compile(r"[0-9a-f]{16}|[0-9]+")
"""Last part of a draft's name; of older versions the number of its process."""


def replace_files(folder: Path, content: Mapping[str, bytes | Path], ours: Callable[[str], bool]) -> None:
    """Replace all files of a folder at once.

    Who looks at it, or kills this, finds all the old files or all the new ones.

    The new files are written into a folder beside it, which then changes places with it. Files of others stay. Where
    that cannot be done (the folder has folders in it, is where a process stands or where a disk is mounted, or the
    system cannot exchange two folders), each file is replaced on its own, the old ones that are left over last.

    Args:
        folder: made if need be.
        content: the new files by name, or by path within the folder; of those that are copied the place.
        ours: whether a file of this name is one of the old ones, which go; of a folder so is all that is in it.

    Raises:
        OSError: when the files cannot be written; the folder is as it was.
    """
    folder = folder.absolute()
    with contextlib.suppress(_NotPossibleError), _drafted(folder, content, ours) as draft:
        if not folder.exists():
            draft.rename(folder)
        elif not _exchange(draft, folder):
            raise _NotPossibleError
        files.sync_folder(folder.parent)
        return
    for name, body in content.items():
        _write(folder / name, body)
    for path in folder.iterdir():
        if ours(path.name):
            _remove_old(path, {folder / name for name in content})


def _write(path: Path, body: bytes | Path) -> None:
    if isinstance(body, Path):
        files.copy(body, path)
    else:
        files.write_bytes(path, body)


def _remove_old(path: Path, kept: Collection[Path]) -> None:
    """Remove a file that is not among the new ones, or such files in a folder."""
    if path.is_dir() and not path.is_symlink():
        for inner in path.iterdir():
            _remove_old(inner, kept)
        with contextlib.suppress(OSError):  # not empty
            path.rmdir()
    elif path not in kept:
        path.unlink()


class _NotPossibleError(Exception):
    """A folder that cannot be replaced as a whole."""


@contextlib.contextmanager
def _drafted(folder: Path, content: Mapping[str, bytes | Path], ours: Callable[[str], bool]) -> Iterator[Path]:
    """Write the new files into a draft beside `folder`; what is left of it goes.

    Raises:
        _NotPossibleError: when `folder` cannot be replaced by another.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(folder)
    draft = folder.with_name(f".{folder.name}.{secrets.token_hex(8)}.tmp")
    others = (
        [path for path in folder.iterdir() if path.name not in content and not ours(path.name)]
        if folder.exists()
        else []
    )
    if folder.is_symlink() or folder.is_mount() or _stands_in(folder) or any(path.is_dir() for path in others):
        raise _NotPossibleError
    held = _lock_of(draft)
    try:
        held.acquire()
        draft.mkdir()
    except (OSError, NotImplementedError) as error:
        _let_go(held)
        raise _NotPossibleError from error  # the folder may be one's own, and the one above it not
    try:
        for name, body in content.items():
            _write(draft / name, body)
        for path in others:
            _carry(path, draft / path.name)
        if folder.exists():
            draft.chmod(stat.S_IMODE(folder.stat().st_mode))
        yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)
        _let_go(held)


def _stands_in(folder: Path) -> bool:
    """True if the current directory is `folder` or inside it."""
    with contextlib.suppress(OSError):
        return Path.cwd().is_relative_to(folder.resolve())
    return False


def _carry(path: Path, place: Path) -> None:
    """Have a file of others in the new folder, too."""
    try:
        os.link(path, place, follow_symlinks=False)
    except (OSError, NotImplementedError):
        shutil.copy2(path, place, follow_symlinks=False)


def _remove_abandoned(folder: Path) -> None:
    """Remove drafts whose lock no process holds; numbers of processes come again."""
    name = f".{_literal(folder.name)}.*"
    drafts = {path.with_suffix(".tmp") for end in (".tmp", ".lock") for path in folder.parent.glob(name + end)}
    for draft in sorted(drafts):
        if draft.is_file() or not _DRAFT.fullmatch(draft.name.removesuffix(".tmp").rpartition(".")[2]):
            continue
        held = _lock_of(draft)
        with contextlib.suppress(filelock.Timeout, OSError, NotImplementedError):
            held.acquire(timeout=0)
            shutil.rmtree(draft, ignore_errors=True)
            _let_go(held)


def _lock_of(draft: Path) -> filelock.BaseFileLock:
    """Lock beside a draft, held while it is written."""
    return filelock.FileLock(draft.with_suffix(".lock"))


def _let_go(held: filelock.BaseFileLock) -> None:
    """Release the lock of a draft, and remove its file."""
    held.release()
    with contextlib.suppress(OSError):
        Path(held.lock_file).unlink(missing_ok=True)


def _literal(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places at once; False where the system cannot."""
    names = os.fsencode(one), os.fsencode(other)
    try:
        library = ctypes.CDLL(None, use_errno=True)
        if sys.platform == "darwin":
            return bool(library.renamex_np(*names, _EXCHANGE) == 0)
        return bool(library.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _EXCHANGE) == 0)
    except (AttributeError, OSError, TypeError):  # no such function, or no such library
        return False
