"""Store of runs: one JSON a run with a checksum, written whole or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pydantic

from harness.errors import DataError, StoreError, UsageError
from harness.store import class_scores
from harness.store.faults import storing
from harness.store.records import Run
from harness.system import files, progress
from harness.system.checksums import checksum
from harness.system.damage import FOLDER, set_aside
from harness.system.text import printable
from harness.values import ClassScores

SCHEMA = 1
"""Version of the records that are written."""
_MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""Functions that make a record one of the next version, by its version."""
_CHECKSUM = "checksum"
_CHECKSUM_OF = "Checksum of the file without the line that it stands in."
_SEALED = re.compile(rb'\{\n "checksum": "([0-9a-f]+)",\n')
"""Beginning of a file of a run: the checksum is of the file without this line."""
_STATUS = re.compile(rb'\n "status": "(\w+)",\n(?: .*\n)* "version": %d\n' % SCHEMA)
"""End of a file of a run; no other line begins with one space and this name."""
_HAS_SCORES = b'\n "class_scores": {'
"""Line of a file of a run that has class scores beside it."""
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")
"""Types of pydantic's errors for unknown fields, of models and of dataclasses."""


class NewerRecordError(DataError):
    """A run of a newer version of video-harness, neither read nor overwritten."""


class DamagedRecordError(DataError):
    """A file of a run that is not as it was written, or is none.

    Args:
        message: one line.
        problem: how it is damaged, without the name of the file.
    """

    def __init__(self, message: str, *, problem: str = "") -> None:
        super().__init__(message)
        self.problem = problem


class Store:
    """The runs in a folder.

    Args:
        folder: made when the first run is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = folder / "runs"
        self._refused: set[str] = set()
        self._held: tuple[int, int] | None = None

    def hold(self) -> None:
        """Make the folder, and refuse later writes if another replaces it.

        Raises:
            StoreError: when it cannot be made.
        """
        with storing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._held = _identity(self.folder)

    def path(self, key: str) -> Path:
        """Path of the run of `key`, stored or not."""
        return self._runs / f"{key}.json"

    def picture(self, key: str, name: str) -> Path:
        """Path of the picture `name` of the run of `key`, stored or not."""
        return self.folder / "pictures" / key / f"{name}.png"

    def class_scores_path(self, key: str) -> Path:
        """Path of the class scores of the run of `key`, stored or not."""
        return self.folder / class_scores.FOLDER / f"{key}.npy"

    def class_scores(self, run: Run) -> ClassScores | None:
        """Read the class scores of a run, compared with its checksum; None without any.

        Damaged ones are named and set aside.

        Raises:
            StoreError: when the disk cannot be read.
        """
        path = self.class_scores_path(run.key)
        try:
            content = self.class_scores_content(run)
            return None if content is None else class_scores.parse(run, content, path)
        except class_scores.DamagedScoresError as error:
            self.set_scores_aside(path, error.problem)
        except FileNotFoundError:
            pass
        return None

    def set_scores_aside(self, path: Path, problem: str) -> None:
        """Move damaged class scores away, so that their run is computed again, and say so."""
        line = set_aside(path, self.folder / FOLDER / class_scores.FOLDER, problem)
        progress.say(f"{line}; {class_scores.COMPUTE_AGAIN}")

    def class_scores_content(self, run: Run) -> bytes | None:
        """Read the file of a run's class scores as it is; None for a run without any.

        Raises:
            FileNotFoundError: when it is gone.
            StoreError: when the disk cannot be read.
        """
        with storing(self.folder):
            return None if run.class_scores is None else self.class_scores_path(run.key).read_bytes()

    def write(
        self, run: Run, pictures: Mapping[str, bytes] = MappingProxyType({}), scores: bytes | None = None
    ) -> None:
        """Store `run` and what lies beside it; an earlier run is replaced.

        Args:
            run: the run.
            pictures: PNG by name.
            scores: the file of its class scores, where it has a record of some.

        Raises:
            ValueError: when a score is NaN or infinite.
            NewerRecordError: when the earlier run is of a newer version.
            StoreError: when the disk is full, the folder cannot be written, or it is not the one that is held.
        """
        if self._held is not None and _identity(self.folder) != self._held:
            msg = f"{printable(str(self.folder))}: moved or deleted while in use; put it back, and run this again"
            raise StoreError(msg)
        path = self.path(run.key)
        text = run_text(run)
        with storing(self.folder):
            if path.exists():
                self.get(run.key)
            for name, content in pictures.items():
                files.write_bytes(self.picture(run.key, name), content)
            if scores is not None:
                files.write_bytes(self.class_scores_path(run.key), scores)
            elif run.class_scores is None:
                self.class_scores_path(run.key).unlink(missing_ok=True)  # those of an earlier run
            files.write_text(path, text)

    def get(self, key: str) -> Run | None:
        """Read the run of `key`; None without one.

        A damaged one is named and set aside.

        Raises:
            NewerRecordError: when a newer version wrote it.
            StoreError: when the disk cannot be read.
        """
        path = self.path(key)
        try:
            with storing(self.folder):
                return read_run(path)
        except FileNotFoundError:
            return None
        except DamagedRecordError as error:
            self.set_aside(path, error.problem)
            return None

    def status(self, key: str) -> str | None:
        """Status of the run of `key`, its file checked but not parsed; None without one.

        None too for a run whose class scores are gone, which is computed again.

        Raises:
            NewerRecordError, StoreError: as `get`.
        """
        with contextlib.suppress(OSError):  # which `get` tells, where it is more than a missing file
            text = self.path(key).read_bytes()
            sealed = _SEALED.match(text)
            found = sealed and _STATUS.search(text)
            if sealed and found and checksum(b"{\n", memoryview(text)[sealed.end() :]) == sealed[1].decode():
                gone = _HAS_SCORES in text and not self.class_scores_path(key).exists()
                return None if gone else str(found[1].decode())
        run = self.get(key)
        if run is None or (run.class_scores is not None and not self.class_scores_path(key).exists()):
            return None
        return run.status

    def readable(self, key: str) -> Run | None:
        """Read the run of `key` to show it; one of a newer version is named, and None."""
        try:
            return self.get(key)
        except NewerRecordError as error:
            if key not in self._refused:
                progress.say(str(error))
            self._refused.add(key)
            return None

    def set_aside(self, path: Path, problem: str) -> None:
        """Move the damaged file of a run away, and say so."""
        line = set_aside(path, self.folder / FOLDER / self._runs.name, problem)
        progress.say(f"{line}; `harness run` of its suite computes it again")

    def __iter__(self) -> Iterator[Run]:
        for path in sorted(self._runs.glob("*.json")):
            run = self.readable(path.stem)
            if run is not None:
                yield run

    def broken(self) -> list[str]:
        """List the files that cannot be read as runs, one line each."""
        complaints = []
        for path in sorted(self._runs.glob("*.json")):
            try:
                read_run(path)
            except DataError as error:
                complaints.append(str(error))
        return complaints

    def find(self, prefix: str) -> Run:
        """Find the one run whose key starts with `prefix`.

        Raises:
            UsageError: when there is none, or more than one.
            DataError: when its file is damaged, or a newer version wrote it.
        """
        paths = sorted(self._runs.glob(f"{prefix}*.json")) if prefix.isalnum() else []
        if len(paths) != 1:
            many = f"{len(paths)} runs start with it" if paths else "no run starts with it"
            near = ", ".join(_nearest(prefix, sorted(path.stem for path in self._runs.glob("*.json"))))
            msg = (
                f"run {prefix!r}: {many} in {self.folder}{near and f' (nearest: {near})'}; "
                "`harness run SUITE --dry-run --json` lists the keys of a suite"
            )
            raise UsageError(msg)
        with storing(self.folder):
            return read_run(paths[0])


def _nearest(prefix: str, keys: list[str]) -> list[str]:
    """First digits of up to three keys that begin most like `prefix`."""
    for length in range(len(prefix), 0, -1):
        near = [key[: max(12, length + 4)] for key in keys if key.startswith(prefix[:length])]
        if near:
            return near[:3]
    return []


def run_text(run: Run) -> str:
    """Write a run as text, with its checksum.

    Raises:
        ValueError: when a score is NaN or infinite.
    """
    text = files.json_text(run.model_dump(mode="json", exclude=run.unwritten))
    return text.replace("{\n", f'{{\n "{_CHECKSUM}": "{checksum(text.encode())}",\n', 1)


def read_run(path: Path) -> Run:
    """Read one run; one of an older version is brought up to this one.

    Raises:
        FileNotFoundError: when there is no such file.
        NewerRecordError: when a newer version wrote it.
        DamagedRecordError: when the file is not as it was written, or is no run.
    """
    with path.open("rb", buffering=0) as file:
        text = bytearray(os.fstat(file.fileno()).st_size)
        file.readinto(text)
    return parse_run(path, text)


def parse_run(path: Path, text: bytearray) -> Run:
    """Parse the text of a run, which is changed on the way.

    Args:
        path: for messages.
        text: of `run_text`, also an older version's.

    Raises:
        NewerRecordError, DamagedRecordError: as `read_run`.
    """
    sealed = _SEALED.match(text)
    end = sealed.end() if sealed else 0
    if sealed is None or checksum(b"{\n", memoryview(text)[end:]) == sealed[1].decode():
        text[2:end] = b" " * (end - 2)  # blank, where a copy of the rest would cost more than the checksum
        try:
            return Run.model_validate_json(text)
        except pydantic.ValidationError:
            pass
    return _read_other(path, text)


def run_schema() -> dict[str, Any]:
    """JSON schema of the file of a run of this version."""
    schema = Run.model_json_schema()
    schema["properties"][_CHECKSUM] = {"type": "string", "pattern": "^[0-9a-f]+$", "description": _CHECKSUM_OF}
    return schema


def is_checked(path: Path) -> bool:
    """True for a file of a run that has a checksum; those of older versions have none."""
    with path.open("rb") as file:
        return _SEALED.match(file.read(128)) is not None


def _read_other(path: Path, text: bytearray) -> Run:
    """Read a run that is older, newer, damaged or reformatted."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _damaged(path, f"it is no JSON: {error}") from error
    if not isinstance(content, dict):
        raise _damaged(path, "it is no record")
    expected, version = content.pop(_CHECKSUM, None), content.get("version", SCHEMA)
    if isinstance(version, int) and version > SCHEMA:
        raise _newer(path, f"its record has version {version}, this one reads {SCHEMA}")
    try:
        whole = expected in (None, checksum(files.json_text(content).encode()))
        if whole:
            content = _migrated(content)
        text_of_this = json.dumps(content, allow_nan=False)
    except ValueError as error:
        raise _damaged(path, f"it is no JSON: {error}") from error
    try:
        run = Run.model_validate_json(text_of_this)
    except pydantic.ValidationError as error:
        problems = {".".join(map(str, one["loc"])): one for one in error.errors()}
        new = [repr(where) for where, one in problems.items() if one["type"] in _UNKNOWN]
        if new and version == SCHEMA:
            raise _newer(path, f"this one does not know the field {printable(', '.join(new))}") from error
        where, problem = next(iter(problems.items()))
        raise _damaged(path, f"it is not a run of version {SCHEMA}, {where}: {problem['msg']}") from error
    if not whole:
        raise _damaged(path, "its text is not the one that was written")
    return run


def _migrated(content: dict[str, Any]) -> dict[str, Any]:
    """Bring a record of an older version up to this one, version by version."""
    while isinstance(version := content.get("version", SCHEMA), int) and version in _MIGRATIONS:
        content = {**_MIGRATIONS[version](content), "version": version + 1}
    return content


def _newer(path: Path, problem: str) -> NewerRecordError:
    msg = (
        f"{printable(str(path))}: written by a newer version of video-harness ({problem}) and left as it is; "
        "install that version, or set HARNESS_HOME to another folder"
    )
    return NewerRecordError(msg)


def _damaged(path: Path, problem: str) -> DamagedRecordError:
    said = printable(problem)
    msg = f"{printable(str(path))}: damaged ({said}); `harness run` of its suite sets it aside and computes it again"
    return DamagedRecordError(msg, problem=said)


def _identity(folder: Path) -> tuple[int, int] | None:
    """Device and number of a folder; None without one."""
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
