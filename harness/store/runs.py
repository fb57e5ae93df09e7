"""Store of runs: one JSON a run, written whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pydantic

from harness.errors import DataError, UsageError
from harness.store.records import Run
from harness.system import files

SCHEMA = 1


class Store:
    """The runs in a folder.

    Args:
        folder: made when the first run is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = folder / "runs"

    def path(self, key: str) -> Path:
        """Path of the run of `key`, stored or not."""
        return self._runs / f"{key}.json"

    def picture(self, key: str, name: str) -> Path:
        """Path of the picture `name` of the run of `key`, stored or not."""
        return self.folder / "pictures" / key / f"{name}.png"

    def write(self, run: Run, pictures: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Store `run` and its pictures, PNG by name; an earlier run is replaced.

        Raises:
            ValueError: when a score is NaN or infinite.
        """
        for name, content in pictures.items():
            files.write_bytes(self.picture(run.key, name), content)
        files.write_json(self.path(run.key), run.model_dump(mode="json"))

    def get(self, key: str) -> Run | None:
        """Read the run of `key`; None without one, or where `broken` lists its file."""
        try:
            return read_run(self.path(key))
        except (FileNotFoundError, DataError):
            return None

    def __iter__(self) -> Iterator[Run]:
        for path in sorted(self._runs.glob("*.json")):
            run = self.get(path.stem)
            if run is not None:
                yield run

    def broken(self) -> list[str]:
        """List the files that are not runs, one line each."""
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
            DataError: when its file is not a run.
        """
        paths = sorted(self._runs.glob(f"{prefix}*.json")) if prefix.isalnum() else []
        if len(paths) != 1:
            many = f"{len(paths)} runs start with it" if paths else "no run starts with it"
            msg = f"run {prefix!r}: {many}; `harness leaderboard SUITE` lists the keys"
            raise UsageError(msg)
        return read_run(paths[0])


def read_run(path: Path) -> Run:
    """Read one run.

    Raises:
        FileNotFoundError: when there is no such file.
        DataError: when the file is not a run of this schema.
    """
    text = path.read_text(encoding="utf-8")
    try:
        return Run.model_validate_json(text)
    except pydantic.ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"]))
        msg = f"{path}: not a run of schema {SCHEMA} ({where}: {problem['msg']}); delete it and run again"
        raise DataError(msg) from error
