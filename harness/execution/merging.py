"""Runs and fits of another store, or of an archive, taken into this one."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness.errors import DataError, UsageError
from harness.execution.verification import compare
from harness.store import fits
from harness.store.archive import Archive, expect_png, whole_scores
from harness.store.faults import storing
from harness.store.locks import lock
from harness.store.runs import NewerRecordError, Store, read_run
from harness.system import files, progress
from harness.system.text import printable

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard
    from harness.store.records import Run

CardOf = Callable[[str], "EvaluatorCard | None"]
"""Finds the card of an evaluator by name; None for one that is not installed."""


@dataclass(slots=True)
class Merged:
    """Outcome of a merge."""

    taken: list[str] = field(default_factory=list)
    """Keys of runs that this store lacked, or had as failed."""
    same: int = 0
    """Runs that both have, with scores within the tolerance of `harness verify`."""
    fits: int = 0
    """Fits that this store lacked."""
    conflicts: list[str] = field(default_factory=list)
    """A line for each run whose scores differ; this store's is kept."""
    refused: list[str] = field(default_factory=list)
    """A line for each file that is damaged, or that a newer version wrote."""


def merge(store: Store, sources: Iterable[Path], card_of: CardOf) -> Merged:
    """Take runs, their pictures, class scores and fits from other stores or archives.

    Checksums are compared, and nothing of the sources is executed or changed. Features are not taken: they are encoded
    again where something needs them.

    Args:
        store: taken into.
        sources: stores, homes of the harness that have one, or archives of `harness pack`.
        card_of: finds an evaluator's card, whose metrics say how far scores may differ.

    Raises:
        UsageError: when a source is none of these.
        DataError: when an archive cannot be read.
        StoreError: when this store cannot be written.
    """
    merged = Merged()
    opened = [_source(source) for source in sources]
    for source in opened:
        with source as theirs, progress.bar(f"merging {printable(theirs.name)}", total=len(theirs.runs)) as bar:
            for key in theirs.runs:
                _merge_run(store, theirs, key, card_of, merged)
                bar.advance()
            for folder in theirs.fits:
                _merge_fit(store, folder, merged)
    return merged


@dataclass(frozen=True, slots=True)
class _Theirs:
    """Runs and fits of a source."""

    name: str
    runs: tuple[str, ...]
    read: Callable[[str], Run]
    pictures: Callable[[Run], Mapping[str, bytes]]
    class_scores: Callable[[Run], bytes | None]
    fits: tuple[Path, ...] = ()


def _source(path: Path) -> contextlib.AbstractContextManager[_Theirs]:
    """Open a source.

    Raises:
        UsageError: when it is no store and no file.
    """
    if path.is_file():
        return _archive(path)
    for folder in (path, path / "store"):
        if (folder / "runs").is_dir():
            return contextlib.nullcontext(_store(Store(folder)))
    msg = f"{printable(str(path))}: expected a store (with `runs/`), a folder that has one, or an archive of `pack`"
    raise UsageError(msg)


def _store(other: Store) -> _Theirs:
    return _Theirs(
        name=str(other.folder),
        runs=tuple(sorted(path.stem for path in (other.folder / "runs").glob("*.json"))),
        read=lambda key: read_run(_regular(other.path(key))),
        pictures=lambda run: {name: _picture(other.picture(run.key, name)) for name in run.pictures},
        class_scores=lambda run: _class_scores(other, run),
        fits=tuple(path.parent for path in sorted((other.folder / "fits").glob(f"*/{fits.FIT}"))),
    )


def _regular(path: Path) -> Path:
    """Expect a file that is no link, and no device.

    Raises:
        DataError: when it is one.
        OSError: when it is not there.
    """
    if not stat.S_ISREG(path.lstat().st_mode):
        msg = f"{printable(str(path))}: no regular file"
        raise DataError(msg)
    return path


def _picture(path: Path) -> bytes:
    content = _regular(path).read_bytes()
    expect_png(content, path)
    return content


def _class_scores(other: Store, run: Run) -> bytes | None:
    path = other.class_scores_path(run.key)
    if run.class_scores is not None and os.path.lexists(path):
        _regular(path)
    return whole_scores(other, run)


@contextlib.contextmanager
def _archive(path: Path) -> Iterator[_Theirs]:
    with Archive.open(path) as archive:
        yield _Theirs(
            name=str(path),
            runs=archive.runs,
            read=archive.read,
            pictures=archive.pictures,
            class_scores=archive.class_scores,
        )


def _merge_run(store: Store, theirs: _Theirs, key: str, card_of: CardOf, merged: Merged) -> None:
    try:
        run = theirs.read(key)
        pictures, scores = theirs.pictures(run), theirs.class_scores(run)
    except (DataError, OSError) as error:
        merged.refused.append(str(error))
        return
    if run.key != key:
        merged.refused.append(f"{printable(theirs.name)}: run {key} says that its key is {printable(run.key)}")
        return
    try:
        own = store.get(key)
    except NewerRecordError as error:
        merged.refused.append(str(error))
        return
    if own is None or (own.status != "done" and run.status == "done") or _restores(store, own, run):
        store.write(run, pictures, scores)
        merged.taken.append(key)
    elif run.status != "done" or (problem := _conflict(own, run, card_of)) is None:
        merged.same += 1
    else:
        merged.conflicts.append(f"run {key} of {printable(theirs.name)}: {problem}; the one here is kept")


def _restores(store: Store, own: Run, other: Run) -> bool:
    """True if a run brings the class scores that the same one here has lost."""
    lost = own.class_scores is not None and not store.class_scores_path(own.key).exists()
    return lost and (own.class_scores, own.scores) == (other.class_scores, other.scores)


def _conflict(own: Run, other: Run, card_of: CardOf) -> str | None:
    """Say how two runs of one key differ beyond the tolerance; None where they do not."""
    if own.protocol_id != other.protocol_id:  # names of composites and files are in no key, and may differ
        return "it is of another protocol"
    card = card_of(own.identity.evaluator.name)
    if card is None:
        return (
            None if own.scores == other.scores else f"its scores differ, and {own.identity.evaluator.name} is unknown"
        )
    verdict = compare(own, other, card)
    return "; ".join(verdict.words) if verdict.outcome == "different" else None


def _merge_fit(store: Store, folder: Path, merged: Merged) -> None:
    """Copy a whole fit that the store lacks, first beside its place."""
    place = store.folder / "fits" / folder.name
    try:
        for path in (folder, *folder.rglob("*")):
            if not path.is_dir() or path.is_symlink():
                _regular(path)
        if problem := fits.damage(folder):
            merged.refused.append(f"{printable(str(folder))}: damaged ({printable(problem)})")
            return
    except (DataError, OSError) as error:
        merged.refused.append(str(error))
        return
    whole = fits.whole_of(folder)
    names = [folder.name, *([fits.along_lock(whole)] if whole else []), f"fit-{folder.name}"]  # as a fit takes them
    with storing(store.folder), contextlib.ExitStack() as stack:
        for name in names:
            stack.enter_context(lock(store.folder, name))
        if (place / fits.FIT).exists():
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".merge-", dir=place.parent) as temporary:
            copied = Path(temporary) / folder.name
            shutil.copytree(folder, copied, symlinks=True)
            for path in (copied, *copied.rglob("*")):
                if path.is_dir():  # a folder that cannot be written moves nowhere
                    path.chmod(path.stat().st_mode | stat.S_IRWXU)
            shutil.rmtree(place, ignore_errors=True)  # one that was never finished
            copied.replace(place)
        files.sync_folder(place.parent)
        merged.fits += 1
