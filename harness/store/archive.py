"""Archive of runs and what lies beside them, for others to take into their stores."""

from __future__ import annotations

import contextlib
import json
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import DataError
from harness.store import class_scores
from harness.store.runs import Store, parse_run, run_text
from harness.system import files
from harness.system.text import printable
from harness.system.zips import read_member

if TYPE_CHECKING:
    from harness.store.records import Run

FORMAT = 1
ABOUT = "pack.json"
"""Name of the file in an archive that says what it is of."""
LARGEST_ABOUT, LARGEST_RUN, LARGEST_PICTURE = 1_000_000, 200_000_000, 50_000_000
"""Bytes of `ABOUT`, a record and a picture, at most."""
TIGHT = 200
"""Bytes that one byte of an archive may become, in members of over a megabyte."""
_RUN = re.compile(r"runs/([0-9a-f]{8,128})\.json")
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    NotImplementedError,
    RuntimeError,
)
"""Errors of zip files that are damaged, encrypted or packed otherwise."""
_PNG = b"\x89PNG\r\n\x1a\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""Time of every file in an archive, so that equal runs make equal archives."""


def write_archive(path: Path, store: Store, runs: Iterable[Run], about: Mapping[str, Any]) -> None:
    """Write runs with their pictures and class scores into a zip, whole or not at all.

    Args:
        path: of the archive.
        store: where the runs' pictures and class scores are.
        runs: that are packed.
        about: JSON values: the suite, its command, versions.

    Raises:
        DataError: when class scores of a run are damaged or gone, or a picture is gone.
    """
    with files.replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, ABOUT, files.json_text({"format": FORMAT, **about}).encode())
        for run in sorted(runs, key=lambda run: run.key):
            _add(archive, f"runs/{run.key}.json", run_text(run).encode())
            for name in run.pictures:
                _add(archive, f"pictures/{run.key}/{name}.png", _picture(store, run, name))
            try:
                scores = whole_scores(store, run)
            except class_scores.DamagedScoresError as error:
                store.set_scores_aside(store.class_scores_path(run.key), error.problem)
                raise
            if scores is not None:
                _add(archive, f"{class_scores.FOLDER}/{run.key}.npy", scores, zipfile.ZIP_STORED)


def _picture(store: Store, run: Run, name: str) -> bytes:
    """Read the PNG of a run.

    Raises:
        DataError: when it is gone.
    """
    path = store.picture(run.key, name)
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        msg = (
            f"{printable(str(path))}: gone, a picture of run {run.key}; delete {printable(str(store.path(run.key)))} "
            "and run its suite again"
        )
        raise DataError(msg) from error


def whole_scores(store: Store, run: Run) -> bytes | None:
    """Read and check the file of a run's class scores; None for a run without any.

    Raises:
        DataError: when it is damaged or gone.
    """
    path = store.class_scores_path(run.key)
    try:
        content = store.class_scores_content(run)
    except FileNotFoundError as error:
        msg = f"{printable(str(path))}: gone; {class_scores.COMPUTE_AGAIN}"
        raise DataError(msg) from error
    if content is not None:
        class_scores.parse(run, content, path)
    return content


def _add(archive: zipfile.ZipFile, name: str, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.compress_type = method
    member.external_attr = 0o644 << 16
    archive.writestr(member, content)


def expect_png(content: bytes, path: Path) -> None:
    """Expect a picture to be a PNG.

    Raises:
        DataError: when it is none.
    """
    if not content.startswith(_PNG):
        msg = f"{printable(str(path))}: no PNG"
        raise DataError(msg)


class Archive:
    """An open archive of `write_archive`; members of other names are never read.

    Args:
        path: of the archive, for messages.
        archive: the zip.
    """

    def __init__(self, path: Path, archive: zipfile.ZipFile) -> None:
        self._path, self._archive = path, archive
        self.runs = tuple(sorted(match[1] for name in archive.namelist() if (match := _RUN.fullmatch(name))))

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator[Archive]:
        """Open an archive.

        Raises:
            DataError: when the file is none, or a newer version wrote it.
        """
        with contextlib.ExitStack() as stack:
            try:
                archive = stack.enter_context(zipfile.ZipFile(path))
                version = json.loads(read_member(archive, ABOUT, LARGEST_ABOUT))["format"]
            except _UNREADABLE as error:
                msg = f"{printable(str(path))}: no archive of `harness pack` ({printable(str(error))})"
                raise DataError(msg) from error
            if version != FORMAT:
                msg = f"{printable(str(path))}: its format is {printable(str(version))}, this version reads {FORMAT}"
                raise DataError(msg)
            yield cls(path, archive)

    def read(self, key: str) -> Run:
        """Read the run of `key`.

        Raises:
            DataError: when it is damaged, or a newer version wrote it.
        """
        name = f"runs/{key}.json"
        return parse_run(self._path / name, bytearray(self._content(name, LARGEST_RUN)))

    def pictures(self, run: Run) -> dict[str, bytes]:
        """Read the pictures of a run, PNG by name.

        Raises:
            DataError: when one is missing or damaged, or no PNG.
        """
        found = {}
        for name in run.pictures:
            member = f"pictures/{run.key}/{name}.png"
            found[name] = self._content(member, LARGEST_PICTURE)
            expect_png(found[name], self._path / member)
        return found

    def class_scores(self, run: Run) -> bytes | None:
        """Read the file of a run's class scores; None for a run without any.

        Raises:
            DataError: when it is missing or damaged.
        """
        if run.class_scores is None:
            return None
        member = f"{class_scores.FOLDER}/{run.key}.npy"
        content = self._content(member, class_scores.LARGEST)
        class_scores.parse(run, content, self._path / member)
        return content

    def _content(self, name: str, largest: int) -> bytes:
        try:
            member = self._archive.getinfo(name)
            if member.file_size > max(10**6, TIGHT * member.compress_size):
                msg = f"it would become {member.file_size:,} bytes of {member.compress_size:,}"
                raise ValueError(msg)
            return read_member(self._archive, name, largest)
        except _UNREADABLE as error:
            msg = f"{printable(str(self._path / name))}: damaged ({printable(str(error))})"
            raise DataError(msg) from error
