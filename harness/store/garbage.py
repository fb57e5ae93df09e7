"""Things in a store beside those that are kept, found and deleted."""

from __future__ import annotations

import contextlib
import shutil
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import filelock

from harness.store import class_scores
from harness.store.faults import storing
from harness.store.fits import FIT, along_lock, whole_of
from harness.store.locks import lock
from harness.store.runs import DamagedRecordError, read_run
from harness.store.sizes import size_of

ABANDONED = 3 * 24 * 60 * 60
"""Seconds without a change after which leftovers count as abandoned."""
LEFTOVER, LOCKS = "leftover", "locks"
"""Kinds of what killed processes leave."""
_OF_HOME = (
    *(".verify-*", ".gate-*", "flow/*/.*.tmp", "index/.*.tmp"),
    *(f"datasets/.*.{stage}" for stage in ("tmp", "drawing", "outdated")),
)
_OF_STORE = ("fits/.merge-*", *(f"{place}/.*.tmp" for place in ("runs", "features", "class_scores", "*/*")))
_LOCKS = {"fit": ("{}", "fit-{}"), "features": ("features-{}",)}
"""Names of the locks under which things are made, by kind."""


@dataclass(frozen=True, slots=True)
class Kept:
    """Keys of what is kept."""

    runs: frozenset[str] = frozenset()
    fits: frozenset[str] | None = frozenset()
    """None keeps all: a row does not say which it is made of."""
    features: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Garbage:
    """Something stored that nothing kept needs."""

    kind: str
    """`run`, `fit`, `features`, or what killed processes leave."""
    key: str
    """Place of what was left; else a key."""
    paths: tuple[Path, ...]
    size: int
    """Bytes."""


def find_garbage(folder: Path, kept: Kept) -> tuple[Garbage, ...]:
    """List what a store has beside what is kept; nothing is changed.

    Unfinished fits and features count by their keys like finished ones. Hidden files, which are being written, and
    what was set aside as damaged are left alone.

    Raises:
        NewerRecordError: when a run is of a newer version, which alone knows what it needs.
    """
    return tuple(_Finder(folder).garbage(kept))


def find_leftovers(folder: Path, kept: Kept, home: Path | None = None) -> tuple[Garbage, ...]:
    """List what killed processes left in a store, and in the home that it is in.

    Temporary files and folders, locks, and pictures of runs without a record count that nothing changed for days.

    Args:
        folder: of the store.
        kept: whose pictures stay.
        home: of the harness; None for a store elsewhere.
    """
    return tuple(_leftovers(folder, kept, home))


def _leftovers(folder: Path, kept: Kept, home: Path | None) -> Iterator[Garbage]:
    for path in sorted((folder / "pictures").glob("*")):
        recorded = path.name in kept.runs or (folder / "runs" / f"{path.name}.json").exists()
        if not recorded and _is_abandoned(path):
            yield Garbage("run", path.name, (path,), size_of(path))
    places = [(folder, pattern) for pattern in _OF_STORE]
    places += [(home, pattern) for pattern in _OF_HOME] if home is not None else []
    found: list[Path] = []
    for place, pattern in places:
        for path in sorted(place.glob(pattern)):
            if not any(parent in found for parent in path.parents) and _is_abandoned(path):
                found.append(path)
                yield Garbage(LEFTOVER, path.relative_to(place).as_posix(), (path,), size_of(path))
    if sys.platform == "win32":  # which deletes no file that is open, as a lock is while it is tried
        return
    if locks := tuple(path for path in sorted((folder / "locks").glob("*.lock")) if _is_abandoned(path)):
        yield Garbage(LOCKS, f"locks/ ({len(locks)})", locks, size_of(*locks))


def _is_abandoned(path: Path) -> bool:
    """Tell whether nothing in a file or a folder changed for long."""
    try:
        latest = max(each.lstat().st_mtime for each in (path, *path.rglob("*")))
    except OSError:  # gone by now
        return False
    return time.time() - latest > ABANDONED


def delete(folder: Path, garbage: Iterable[Garbage]) -> tuple[Garbage, ...]:
    """Delete garbage of a store; returns what was left, because a process is at it.

    Locks that are held are left, too, and not returned: the others are gone.

    Raises:
        StoreError: when something cannot be deleted.
    """
    left = []
    for one in garbage:
        if one.kind == LOCKS:
            _delete_locks(folder, one)
            continue
        names = [name.format(one.key) for name in _LOCKS.get(one.kind, ())]
        held = [lock(folder, name) for name in (*names, *_lock_of_whole(one))]
        with storing(folder), contextlib.ExitStack() as stack:
            try:
                for each in held:
                    stack.enter_context(each.acquire(timeout=0))
            except filelock.Timeout:
                left.append(one)
                continue
            for path in one.paths:  # first the one that says it is complete
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
    return tuple(left)


def _delete_locks(folder: Path, locks: Garbage) -> None:
    """Delete the locks that no process holds; a few bytes may stay."""
    with storing(folder):
        for path in locks.paths:
            with contextlib.suppress(filelock.Timeout), filelock.FileLock(path).acquire(timeout=0):
                path.unlink(missing_ok=True)


def _lock_of_whole(one: Garbage) -> tuple[str, ...]:
    """Name of the lock under which a share of a fit is kept; none for other things."""
    wholes = [whole_of(path.parent) for path in one.paths if path.name == FIT]
    return tuple(along_lock(whole) for whole in wholes if whole)


class _Finder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def garbage(self, kept: Kept) -> Iterator[Garbage]:
        for path in sorted((self._folder / "runs").glob("*.json")):
            if path.stem not in kept.runs:
                with contextlib.suppress(DamagedRecordError, FileNotFoundError):
                    read_run(path)
                scores = self._folder / class_scores.FOLDER / f"{path.stem}.npy"
                yield self._made("run", path.stem, path, self._folder / "pictures" / path.stem, scores)
        for path in sorted((self._folder / class_scores.FOLDER).glob("*.npy")):
            record = self._folder / "runs" / f"{path.stem}.json"
            if path.stem not in kept.runs and not record.exists():  # of a run whose record was never written
                yield self._made("run", path.stem, path)
        for path in sorted((self._folder / "fits").glob("*")):
            needed = kept.fits is None or path.name in kept.fits
            if path.is_dir() and not path.name.startswith(".") and not needed:
                parts = (path,) if path.is_symlink() else (path / FIT, path)
                yield self._made("fit", path.name, *parts)
        features: dict[str, list[Path]] = {}
        for path in sorted((self._folder / "features").glob("*")):
            features.setdefault(path.name.split(".")[0], []).append(path)
        for key, paths in features.items():
            if key and key not in kept.features:
                yield self._made("features", key, *sorted(paths, key=lambda path: path.suffix != ".npy"))

    @staticmethod
    def _made(kind: str, key: str, *paths: Path) -> Garbage:
        there = tuple(path for path in paths if path.exists())
        return Garbage(kind, key, there, size_of(*(path for path in there if path.parent not in there)))
