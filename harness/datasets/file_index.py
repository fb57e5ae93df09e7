"""Records of the files of a folder, made once by worker processes and remembered."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.system import paths, processes, progress
from harness.video import container
from harness.video.probe import Record, probe, unusable

PATIENCE = 120.0
"""Seconds that a worker may take for one file before it is killed."""


@dataclass(frozen=True, slots=True)
class Look:
    """Record of a file that was decoded, and the one before."""

    before: Record | None
    now: Record


_looks: ContextVar[dict[Path, Look] | None] = ContextVar("looks", default=None)


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


def records(folder: Path, names: Sequence[str], *, title: str) -> dict[str, Record]:
    """Make the records of files, those that cannot be used included.

    Files that have not changed since they were last decoded are not decoded again. The others are, each in a worker
    process that may crash or hang without harm; each record is written down at once, so that a process that is
    killed loses only the files it was at.

    Args:
        folder: where the files lie.
        names: paths below it, with `/`.
        title: of the progress bar.
    """
    index_file = paths.index() / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:20]}.jsonl"
    known, looks = _read(index_file), _looks.get()
    made: dict[str, Record] = {}
    todo: dict[str, tuple[int, int]] = {}
    for name in dict.fromkeys(names):
        try:
            stamp = container.identity(folder / name)[1:]
        except OSError:
            made[name] = probe(folder / name)
            continue
        remembered = name in known and known[name][0] == stamp
        if remembered and (looks is None or folder / name in looks):
            made[name] = known[name][1]
        else:
            todo[name] = stamp
    if not todo:
        return made
    index_file.parent.mkdir(parents=True, exist_ok=True)
    with index_file.open("a", encoding="utf-8") as file, progress.bar(title, total=len(todo)) as bar:
        for name, record in _inspected(folder, list(todo)):
            made[name] = record
            if looks is not None:
                looks[folder / name] = Look(known[name][1] if name in known else None, record)
            file.write(json.dumps({"name": name, "stamp": todo[name], **asdict(record)}) + "\n")
            file.flush()
            bar.advance(note=record.reason)
    return made


def _read(index_file: Path) -> dict[str, tuple[tuple[int, int], Record]]:
    """Read everything written down, without a line that a killed process left half."""
    known = {}
    if index_file.exists():
        for line in index_file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                row = json.loads(line)
                name, stamp = row.pop("name"), tuple(row.pop("stamp"))
                known[name] = stamp, Record(**{**row, "remarks": tuple(row["remarks"])})
            except (ValueError, KeyError, TypeError):
                continue
    return known


def _inspected(folder: Path, names: list[str]) -> Iterator[tuple[str, Record]]:
    """Make the record of each file, in order, in workers that may crash or hang."""
    outcomes = processes.imap_isolated(probe, [folder / name for name in names], timeout=PATIENCE)
    for name, (path, outcome) in zip(names, outcomes, strict=True):
        if isinstance(outcome, processes.HungError):
            message = f"{path}: the decoder did not come to an end in {PATIENCE:g} s; fetch it again"
            outcome = unusable("hung", message)
        elif isinstance(outcome, Exception):
            outcome = unusable("crashed", f"{path}: the decoder crashed on it ({outcome}); fetch it again")
        yield name, outcome
