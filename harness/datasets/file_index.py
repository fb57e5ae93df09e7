"""Records of the files of a folder, made once by worker processes and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.errors import DataError
from harness.system import paths, processes, progress
from harness.system.code import code_hash
from harness.system.hashing import digest
from harness.system.presence import is_file, is_folder
from harness.video import container
from harness.video.archive import FileState, member
from harness.video.probe import Record, probe, unusable

PATIENCE = 120.0
"""Seconds that a worker may take for one file before it is killed."""
FRAME_PATIENCE = 0.1
"""Seconds more for each image of a folder of frames."""
BYTE_PATIENCE = 1e-6
"""Seconds more for each byte: hours of video take minutes."""

PASSING = frozenset({"crashed", "unreadable"})
"""Reasons that may be gone the next time, and are not remembered."""


@dataclass(frozen=True, slots=True)
class Look:
    """Record of a file that was decoded, and the one before."""

    before: Record | None
    now: Record


_looks: ContextVar[dict[Path, Look] | None] = ContextVar("looks", default=None)
_verified: ContextVar[set[Path] | None] = ContextVar("verified", default=None)


@contextlib.contextmanager
def force_recheck() -> Iterator[dict[Path, Look]]:
    """Decode every file that `records` is asked for in the block, remembered or not.

    Each is noted by its path.
    """
    looks: dict[Path, Look] = {}
    token = _looks.set(looks)
    try:
        yield looks
    finally:
        _looks.reset(token)


@contextlib.contextmanager
def verified() -> Iterator[None]:
    """Hash every file that is asked for in the block, unchanged or not, once."""
    token = _verified.set(set())
    try:
        yield
    finally:
        _verified.reset(token)


def records(folder: Path, names: Sequence[str], *, title: str) -> dict[str, Record]:
    """Make the records of files, those that cannot be used included.

    Files that have not changed since they were last decoded are not decoded again, nor are those that have the same
    content as then. The others are, each in a worker process that may crash or hang without harm; each record is
    written down at once, so that a process that is killed loses only the files it was at.

    That a file cannot be used is believed only of the code that looks at files here, and a crash never, for it may be
    for want of memory or another fault of the machine.

    Args:
        folder: where the files lie.
        names: paths below it, with `/`.
        title: of the progress bar.
    """
    known, looks = _read(folder), _looks.get()
    made: dict[str, Record] = {}
    todo: dict[str, FileState] = {}
    doubtful: dict[str, tuple[FileState, Record]] = {}
    for name in dict.fromkeys(names):
        try:
            state = container.identity(folder / name)[1]
        except (OSError, DataError):  # the latter of an archive that is broken
            made[name] = probe(folder / name)
            continue
        remembered = name in known and known[name][0] == state
        if looks is not None:
            if remembered and folder / name in looks:
                made[name] = known[name][1]
            else:
                todo[name] = state
        elif remembered and not _doubted(folder / name):
            made[name] = known[name][1]
        elif name in known:
            doubtful[name] = state, known[name][1]
        else:
            todo[name] = state
    same = _same_content(folder, doubtful)
    made |= {name: doubtful[name][1] for name in same}
    todo |= {name: doubtful[name][0] for name in doubtful if name not in same}
    if not todo:
        return made
    with _appending(folder) as write, progress.bar(title, total=len(todo)) as bar:
        for name, record in _inspected(folder, list(todo)):
            made[name] = record
            if looks is not None:
                looks[folder / name] = Look(known[name][1] if name in known else None, record)
            if record.reason not in PASSING:
                write(name, todo[name], record)
            bar.advance(note=record.reason)
    return made


def altered(folder: Path, expected: Mapping[str, Record]) -> list[str]:
    """Name the files that do not have the expected content.

    A file is hashed when it has changed since it was last compared. In `force_recheck` none is named: who decodes them
    all compares them, too.

    Args:
        folder: where the files lie.
        expected: records of files by name.

    Raises:
        OSError: when a file is missing.
    """
    if _looks.get() is not None:
        return []
    known = _read(folder)
    doubtful: dict[str, tuple[FileState, Record]] = {}
    for name, record in expected.items():
        state = container.identity(folder / name)[1]
        compared = name in known and known[name][0] == state and known[name][1].sha256 == record.sha256
        if not compared or _doubted(folder / name):
            doubtful[name] = state, record
    same = _same_content(folder, doubtful)
    return [name for name in doubtful if name not in same]


def _doubted(path: Path) -> bool:
    """True if the file is to be hashed although it has not changed."""
    verified_files = _verified.get()
    return verified_files is not None and path not in verified_files


def _same_content(folder: Path, doubtful: Mapping[str, tuple[FileState, Record]]) -> set[str]:
    """Names of the files that have the content of their record, noted as seen."""
    same: set[str] = set()
    if not doubtful:
        return same
    verified_files = _verified.get()
    with _appending(folder) as write, progress.bar(f"hashing files of {folder.name}", total=len(doubtful)) as bar:
        for name, (state, record) in doubtful.items():
            if record.sha256 and _hash(folder / name) == record.sha256:
                same.add(name)
                write(name, state, record)
                if verified_files is not None:
                    verified_files.add(folder / name)
            bar.advance()
    return same


def _hash(path: Path) -> str:
    """Hash of a file; empty where it cannot be read, which its record will say."""
    try:
        return container.digest(path)[0]
    except (DataError, OSError):
        return ""


def _index_file(folder: Path) -> Path:
    return paths.index() / f"{hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:20]}.jsonl"


@contextlib.contextmanager
def _appending(folder: Path) -> Iterator[Callable[[str, FileState, Record], None]]:
    """Yield a function that writes the record of a file down at once."""
    index_file = _index_file(folder)
    index_file.parent.mkdir(parents=True, exist_ok=True)
    with index_file.open("a", encoding="utf-8") as file:

        def write(name: str, state: FileState, record: Record) -> None:
            row = {"name": name, "stamp": state, "code": _looking_code(), **asdict(record)}
            file.write(json.dumps(row) + "\n")
            file.flush()

        yield write


def _read(folder: Path) -> dict[str, tuple[FileState | None, Record]]:
    """Read everything written down that is believed.

    A line that a killed process left half is skipped. Of a file whose state was written without time of change and
    inode, the state is None.
    """
    known: dict[str, tuple[FileState | None, Record]] = {}
    index_file = _index_file(folder)
    if index_file.exists():
        looking = _looking_code()
        for line in index_file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                name, stamp, code = row.pop("name"), row.pop("stamp"), row.pop("code", "")
                if row["reason"] in PASSING:
                    continue
                if row["reason"] and code != looking:
                    known.pop(name, None)
                    continue
                state = FileState(*stamp) if len(stamp) == len(FileState._fields) else None
                known[name] = state, Record(**{**row, "remarks": tuple(row["remarks"])})
            except (ValueError, KeyError, TypeError):
                continue
    return known


def _looking_code() -> str:
    """Hash of the code that looks at files, and of how long it may."""
    return digest({"code": code_hash("harness.video.probe"), "patience": (PATIENCE, FRAME_PATIENCE, BYTE_PATIENCE)})


def _patience(file: Path) -> float:
    """Seconds that a worker may take for a file, or a folder of frames."""
    try:
        if is_folder(file):
            return PATIENCE + FRAME_PATIENCE * sum(1 for _ in file.iterdir())
        place = None if is_file(file) else member(file)
        return PATIENCE + BYTE_PATIENCE * (file.stat().st_size if place is None else place.size)
    except (OSError, DataError):  # which its record will say
        return PATIENCE


def _inspected(folder: Path, names: list[str]) -> Iterator[tuple[str, Record]]:
    """Make the record of each file, in order, in workers that may crash or hang."""
    files = [folder / name for name in names]
    outcomes = processes.imap_isolated(probe, files, timeout=_patience)
    for name, (path, outcome) in zip(names, outcomes, strict=True):
        if isinstance(outcome, processes.CrashedError):  # perhaps of what the file before it left in the worker
            ((_, outcome),) = processes.imap_isolated(probe, [path], timeout=_patience, workers=1)
        if isinstance(outcome, processes.HungError):
            message = f"{path}: the decoder did not come to an end in {_patience(path):.0f} s; fetch it again"
            outcome = unusable("hung", message)
        elif isinstance(outcome, MemoryError):
            outcome = unusable("unreadable", f"{outcome}; free some memory, and look again")
        elif isinstance(outcome, processes.CrashedError) and outcome.killed:
            message = f"{path}: {outcome} on it, perhaps for want of memory; free some memory, and look again"
            outcome = unusable("unreadable", message)
        elif isinstance(outcome, Exception):
            outcome = unusable("crashed", f"{path}: the decoder crashed on it ({outcome}); fetch it again")
        yield name, outcome
