"""Check of everything in a store: checksums, and records of other versions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import filelock

from harness.errors import HarnessError
from harness.store import class_scores, fits, runs
from harness.store.features import FeatureFile
from harness.store.locks import lock
from harness.system import progress
from harness.system.damage import FOLDER, set_aside
from harness.system.text import printable

_LOCKS = {"fits": "fit-{}", "features": "features-{}"}
"""Names of the locks under which things are made, by kind."""


@dataclass(frozen=True, slots=True)
class Stored:
    """Something stored, and how it is checked."""

    path: Path
    kind: str
    """Name of the folder below `damaged` that it is set aside in."""
    damage: Callable[[Path], str]
    """Says how it is damaged; empty when it is whole."""
    is_checked: Callable[[Path], bool] = lambda path: True
    """False for one of an older version, which has no checksum."""


@dataclass(slots=True)
class StoreReport:
    """Files of a store by their state; a fit counts as one."""

    whole: int = 0
    unchecked: int = 0
    """Readable ones that an older version wrote without a checksum."""
    damaged: list[tuple[Stored, str]] = field(default_factory=list)
    """Damaged ones, each with its problem."""
    refused: list[str] = field(default_factory=list)
    """A line for each that cannot be read, or that a newer version wrote."""


def check_store(folder: Path, further: Iterable[Stored] = ()) -> StoreReport:
    """Read everything in a store and compare the checksums; nothing is changed.

    Args:
        folder: of the store.
        further: files that lie elsewhere.
    """
    report, stored = StoreReport(), [*_stored(folder), *further]
    with progress.bar("checking the store", total=len(stored)) as bar:
        for one in stored:
            _check(one, report)
            bar.advance()
    return report


def mend(folder: Path, report: StoreReport) -> Iterator[tuple[bool, str]]:
    """Set aside all that is damaged still; whether it was, and a line, for each.

    What a process is making again is left to it.

    Raises:
        StoreError: when something cannot be read.
    """
    for one, _ in report.damaged:
        try:
            with contextlib.suppress(FileNotFoundError), _locked(folder, one):
                if problem := one.damage(one.path):
                    line = set_aside(one.path, folder / FOLDER / one.kind, problem)
                    yield not os.path.lexists(one.path), line
        except filelock.Timeout:
            path = printable(str(one.path))
            yield (
                False,
                f"{path}: was damaged, and is left, as another process is at it; look again when that has ended",
            )


@contextlib.contextmanager
def _locked(folder: Path, one: Stored) -> Iterator[None]:
    """Hold the lock under which something is made, where it has one.

    Raises:
        filelock.Timeout: when another process holds it.
    """
    with contextlib.ExitStack() as stack:
        if one.kind in _LOCKS:
            try:
                stack.enter_context(lock(folder, _LOCKS[one.kind].format(one.path.stem)).acquire(timeout=0))
            except filelock.Timeout:
                raise
            except OSError:  # a store that cannot be written, where nothing is moved either
                pass
        yield


def _check(one: Stored, report: StoreReport) -> None:
    try:
        if problem := one.damage(one.path):
            report.damaged.append((one, problem))
        elif one.is_checked(one.path):
            report.whole += 1
        else:
            report.unchecked += 1
    except FileNotFoundError:  # gone by now
        pass
    except (HarnessError, OSError) as error:
        report.refused.append(str(error))


def _stored(folder: Path) -> Iterator[Stored]:
    for path in sorted((folder / "runs").glob("*.json")):
        yield Stored(path, "runs", _damage_of_run, runs.is_checked)
    for path in sorted((folder / class_scores.FOLDER).glob("*.npy")):
        yield Stored(path, class_scores.FOLDER, _damage_of_class_scores)
    for path in sorted((folder / "features").glob("*.npy")):
        if not path.name.endswith(".partial.npy"):
            yield Stored(path, "features", _damage_of_features, _are_features_checked)
    for record in sorted((folder / "fits").glob(f"*/{fits.FIT}")):
        yield Stored(record.parent, "fits", fits.damage, fits.is_checked)


def _damage_of_run(path: Path) -> str:
    try:
        runs.read_run(path)
    except runs.DamagedRecordError as error:
        return error.problem
    return ""


def _damage_of_class_scores(path: Path) -> str:
    """Say how class scores are damaged, by the record of their run.

    Raises:
        FileNotFoundError: when there is no whole record that says what they are.
    """
    try:
        run = runs.read_run(path.parent.parent / "runs" / f"{path.stem}.json")
    except runs.DamagedRecordError as error:  # which is named itself
        raise FileNotFoundError(path) from error
    if run.class_scores is None:
        raise FileNotFoundError(path)
    try:
        class_scores.parse(run, path.read_bytes(), path)
    except class_scores.DamagedScoresError as error:
        return error.problem
    return ""


def _damage_of_features(path: Path) -> str:
    return FeatureFile(path.parent, path.stem).damage()


def _are_features_checked(path: Path) -> bool:
    return FeatureFile(path.parent, path.stem).is_checked()
