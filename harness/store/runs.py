"""Runs and the store that keeps them: one JSON a run, written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pydantic

from harness.errors import DataError, UsageError
from harness.interfaces import Evaluation, Predictions, Score
from harness.system import files

SCHEMA = 1

Status = Literal["done", "failed", "diverged", "oom", "data"]


class Named(pydantic.BaseModel):
    """A registered name with the options it was built with."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    name: str
    options: dict[str, Any] = {}

    @property
    def label(self) -> str:
        """Name and options in one line.

        >>> Named(name="knn", options={"k": 5}).label
        'knn(k=5)'
        """
        if not self.options:
            return self.name
        return f"{self.name}({', '.join(f'{k}={v}' for k, v in sorted(self.options.items()))})"


class Identity(pydantic.BaseModel):
    """Which cell of a suite a run is of; it stays the same when code or data change."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    method: Named
    backbone: Named
    pretraining: Named
    """The data set whose training split the method learnt from."""
    frames: int
    """The budget of the fit."""
    evaluator: Named
    data: Named
    """The data set measured on; its fold is one of its options."""
    seed: int


class Run(pydantic.BaseModel):
    """The stored outcome of a cell: scores, predictions and provenance, or the recorded failure."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    key: str
    fit_key: str
    identity: Identity
    status: Status
    reason: str = ""
    supervised: bool
    """Whether the method read labels: a reference, never ranked."""
    scores: tuple[Score, ...] = ()
    predictions: Predictions | None = None
    notes: dict[str, Any] = {}
    pictures: tuple[str, ...] = ()
    """Short names of the PNGs that lie beside it; `Store.picture` finds them."""
    protocol: dict[str, Any]
    """Everything a number depends on that is not the method: view, decoder, recipe, manifests."""
    protocol_id: str
    """Hash of `protocol`; numbers are ranked only within one."""
    provenance: dict[str, Any]
    """Versions, hardware, commit, seconds: what happened, as opposed to what was asked for."""

    def score(self, metric: str) -> Score | None:
        """The score of `metric`, or None."""
        return next((score for score in self.scores if score.metric == metric), None)

    @property
    def evaluation(self) -> Evaluation:
        """Scores, predictions and notes as the evaluator gave them."""
        return Evaluation(self.scores, self.predictions, self.notes)


class Store:
    """The runs in a folder.

    Args:
        folder: made when the first run is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._runs = folder / "runs"

    def path(self, key: str) -> Path:
        """Where the run of `key` is or would be."""
        return self._runs / f"{key}.json"

    def picture(self, key: str, name: str) -> Path:
        """Where the picture `name` of the run of `key` is or would be."""
        return self.folder / "pictures" / key / f"{name}.png"

    def write(self, run: Run, pictures: Mapping[str, bytes] = MappingProxyType({})) -> None:
        """Store `run` and its pictures, PNG by name, replacing an earlier one of the same key.

        Raises:
            ValueError: when a score is NaN or infinite.
        """
        for name, content in pictures.items():
            files.write_bytes(self.picture(run.key, name), content)
        files.write_json(self.path(run.key), run.model_dump(mode="json"))

    def get(self, key: str) -> Run | None:
        """The run of `key`; None when there is none, or its file cannot be read (which `broken` then lists)."""
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
        """One line for each file that is not a run."""
        complaints = []
        for path in sorted(self._runs.glob("*.json")):
            try:
                read_run(path)
            except DataError as error:
                complaints.append(str(error))
        return complaints

    def find(self, prefix: str) -> Run:
        """The one run whose key starts with `prefix`.

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


def digest(value: Mapping[str, Any]) -> str:
    """A short hash of JSON-like `value`: 20 hexadecimal digits, equal for equal content in any order.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    import hashlib

    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
