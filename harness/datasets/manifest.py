"""`manifest`: videos or images that a CSV or JSON file lists."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.cards import NAME
from harness.datasets import cards
from harness.datasets.file_names import plain
from harness.datasets.listed_files import ListedFile, OnBadFile, expect_rate
from harness.datasets.located import ListedDataset
from harness.datasets.manifest_file import BETWEEN, REQUIRED, SETS, TARGET, read, required
from harness.errors import DataError

if TYPE_CHECKING:
    from harness.cards import DatasetCard

GROUP = "group"
WHOLE = (0.0, math.inf)
"""Seconds of a whole file."""
SEGMENT = ("start", "end")
"""Columns of a part of a file, in seconds."""
FURTHER = "label:"
"""Prefix of the column of a further kind of label: `label:scene`."""

_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,20})?")
_SIGNED = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\\]")


class _Card:
    """Card of the class; of an object with the labels and targets of its file."""

    def __get__(self, data: Manifest | None, owner: type[Manifest]) -> DatasetCard:
        if data is None:
            return cards.MANIFEST
        sets, targets = (tuple(data.prefixed(prefix)) for prefix in (SETS, TARGET))
        return dataclasses.replace(cards.MANIFEST, labels=tuple(data.columns), multilabels=sets, targets=targets)


class Manifest(ListedDataset):
    """Videos or images that a CSV file, or a JSON file with a list of objects, names.

    Expected: the place that is told is the file, named `*.csv` (UTF-8, with a line of column names) or `*.json`. Its
    columns, or keys, are `path` (below the file's own folder, with `/`), `split` (`train` or `test`), `label` (the
    name of the class of kind `action`), where wanted `group` (may be empty), `start` and `end` (seconds, both or
    none; a part of a long file is then a video, and its group the file unless it has one), and `label:<kind>` for each
    further kind of label. All are texts without spaces around them. Classes are in the order of their names, over both
    splits, and train has every `label` of test.

    `labels:<kind>` is a set of classes of a multi-label kind, maybe empty: names with `;` between them, in JSON a list
    of texts. `target:<name>` is a number, for regression. Beside one of these, the column `label` may be left out.

    A path may name a folder of images, which are the frames of one video: see `harness.video.frame_folder`.

    Args:
        bad: what becomes of files that cannot be used.
        fps: frames per second of all folders of frames; files say their own.
        location: see `LocatedDataset`.

    Raises:
        UsageError: when `fps` is no rate.
    """

    card = _Card()

    def __init__(self, bad: OnBadFile = "error", fps: float | None = None, *, location: Path | None = None) -> None:
        super().__init__(bad, location=location)
        self.fps = expect_rate("manifest", fps)

    @cached_property
    def folder(self) -> Path:
        """The folder of the file."""
        return self.location.parent

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the file.

        Raises:
            DataError: when it is wrong, naming the row, counted from 1, or has no row of the split.
        """
        if all(row["split"] != name for row in self._rows):
            msg = f"{self.location}: no row has split {name!r}; add some"
            raise DataError(msg)
        classes = {kind: tuple(sorted({row[key] for row in self._rows})) for kind, key in self.columns.items()}
        sets = self.multilabel_classes()
        numbers, of_sets = ({kind: _numbers(names) for kind, names in one.items()} for one in (classes, sets))
        files = [
            ListedFile(
                path=row["path"],
                id=_id(row),
                seconds=_seconds(row),
                labels={kind: numbers[kind][row[key]] for kind, key in self.columns.items()},
                multilabels={
                    kind: tuple(sorted(of_sets[kind][one] for one in _names(row[key])))
                    for kind, key in self.prefixed(SETS).items()
                },
                targets={target: float(row[key]) for target, key in self.prefixed(TARGET).items()},
                group=_group(row),
                fps=self.fps,
            )
            for row in self._rows
            if row["split"] == name
        ]
        return files, classes

    @property
    def columns(self) -> dict[str, str]:
        """Column of each kind of label."""
        return {**({"action": "label"} if "label" in self._rows[0] else {}), **self.prefixed(FURTHER)}

    def prefixed(self, prefix: str) -> dict[str, str]:
        """Columns that begin with `prefix`, by the rest of their names."""
        return {key.removeprefix(prefix): key for key in self._rows[0] if key.startswith(prefix)}

    def multilabel_classes(self) -> dict[str, tuple[str, ...]]:
        """Names of the classes of each multi-label kind, over both splits.

        Raises:
            DataError: as in `listed`.
        """
        columns = self.prefixed(SETS)
        return {
            kind: tuple(sorted({one for row in self._rows for one in _names(row[key])}))
            for kind, key in columns.items()
        }

    @cached_property
    def _rows(self) -> list[dict[str, str]]:
        """Checked rows of the file."""
        file, rows = self.location, []
        paths: dict[tuple[str, tuple[float, float]], int] = {}
        sides: dict[str, str] = {}
        keys: set[str] = set()
        for number, written in enumerate(read(file), start=1):
            keys = keys or set(written)
            problem = _problem(written, keys)
            row = dict(written) if problem else {key: plain(text) for key, text in written.items()}
            if not problem and (first := paths.setdefault((row["path"], _seconds(row) or WHOLE), number)) != number:
                problem = f"{_id(row)!r} is in row {first} already"
            group = "" if problem else _group(row)
            if not problem and group and sides.setdefault(group, row["split"]) != row["split"]:
                problem = f"group {group!r} is in train and in test"
            if problem:
                msg = f"{file}, row {number}: {problem}; correct the manifest"
                raise DataError(msg)
            rows.append(row)
        if not rows:
            msg = f"{file}: names no videos; fill it with the columns {', '.join(REQUIRED)}"
            raise DataError(msg)
        _expect_known_classes(file, rows)
        _expect_apart(file, rows)
        return rows


def _numbers(names: Sequence[str]) -> dict[str, int]:
    """Index of each class by its name."""
    return {name: number for number, name in enumerate(names)}


def _names(cell: str) -> list[str]:
    """Names of a set of classes."""
    return cell.split(BETWEEN) if cell else []


def _expect_apart(file: Path, rows: list[dict[str, str]]) -> None:
    """Expect that no second of a file is in both splits."""
    of_file: dict[str, list[tuple[float, float, int]]] = {}
    for number, row in enumerate(rows, start=1):
        of_file.setdefault(row["path"], []).append((*(_seconds(row) or WHOLE), number))
    splits = {row["path"].rstrip("/"): row["split"] for row in rows}
    for number, row in enumerate(rows, start=1):
        for folder in map(str, PurePosixPath(row["path"]).parents):
            if splits.get(folder, row["split"]) != row["split"]:
                msg = f"{file}, row {number}: {row['path']!r} is a frame of {folder!r}, which is in {splits[folder]}"
                raise DataError(f"{msg}; correct the manifest")
    for parts in of_file.values():
        until: dict[str, tuple[float, int]] = {}
        for start, end, number in sorted(parts):
            split = rows[number - 1]["split"]
            for other, (latest, earlier) in until.items():
                if other != split and start < latest:
                    shared = f"it has seconds of row {earlier}, which is in {other}"
                    msg = f"{file}, row {number}: {shared}; correct the manifest"
                    raise DataError(msg)
            until[split] = max(until.get(split, (0.0, 0)), (end, number))


def _seconds(row: Mapping[str, str]) -> tuple[float, float] | None:
    """Start and end of a row's part of its file; None for the whole."""
    start, end = (row.get(key, "") for key in SEGMENT)
    return (float(start), float(end)) if start and end else None


def _id(row: Mapping[str, str]) -> str:
    """Name of a row's video: its path, with the seconds of a part."""
    return row["path"] if _seconds(row) is None else f"{row['path']} {row['start']}-{row['end']}"


def _group(row: Mapping[str, str]) -> str:
    """Group of a row's video; parts of one file are one group unless they have others."""
    return row.get(GROUP, "") or ("" if _seconds(row) is None else row["path"])


def _expect_known_classes(file: Path, rows: list[dict[str, str]]) -> None:
    if "label" not in rows[0]:
        return
    known = {row["label"] for row in rows if row["split"] == "train"}
    for number, row in enumerate(rows, start=1):
        if known and row["label"] not in known:
            msg = f"{file}, row {number}: no row of train has the label {row['label']!r}; add one, or remove this"
            raise DataError(msg)


def _problem(row: Mapping[str, Any], keys: set[str]) -> str:
    """Describe what is wrong with a row by itself; empty when nothing is."""
    for key in sorted(row):
        if key not in (*REQUIRED, GROUP, *SEGMENT) and not _further(key):
            columns = (*REQUIRED, GROUP, *SEGMENT, f"{FURTHER}<kind>", f"{SETS}<kind>")
            return f"unknown column {key!r}; there are {', '.join(columns)} and {TARGET}<name>"
        if not isinstance(row[key], str):
            return f"{key!r} is not a text, but {row[key]!r}"
        if row[key] != row[key].strip():
            return f"{key!r} is {row[key]!r}, with spaces around it"
    kinds = [further for key in row if (further := _further(key) or ("action" if key == "label" else ""))]
    if len(set(kinds)) != len(kinds):
        return f"{max(kinds, key=kinds.count)!r} has two columns; a kind of label or a target has one"
    optional = {GROUP, *SEGMENT}
    for key in sorted({*required(keys), *(keys - optional)}):
        if key not in row or (not row[key] and not key.startswith(SETS)):
            return f"{key!r} is missing, or empty"
    extra = sorted(set(row) - keys - optional)
    if extra:
        return f"{extra[0]!r} is in this row and not in the first; every row needs the same kinds of labels"
    for key in sorted(keys):
        if key.startswith(SETS) and (problem := _problem_of_set(_names(row[key]))):
            return f"{key!r} is {row[key]!r}, {problem}"
        if key.startswith(TARGET) and not (_SIGNED.fullmatch(row[key]) and math.isfinite(float(row[key]))):
            return f"{key!r} is {row[key]!r}, and should be a finite number such as 0.5 or -3e2"
    if row["split"] not in cards.MANIFEST.splits:
        return f"split {row['split']!r} should be train or test"
    start, end = (row.get(key, "") for key in SEGMENT)
    if (start or end) and not (_NUMBER.fullmatch(start) and _NUMBER.fullmatch(end) and float(start) < float(end)):
        return f"start {start!r} and end {end!r} should be seconds, the start first, or both be empty"
    path = PurePosixPath(row["path"])
    if path.is_absolute() or ".." in path.parts or _CONTROL.search(row["path"]) or str(path) != row["path"]:
        return f"path {row['path']!r} should lead straight to a file below the manifest's folder, with /"
    return ""


def _further(key: str) -> str:
    """Kind of label, or target, of a column; empty where it names none."""
    kind = next((key.removeprefix(prefix) for prefix in (FURTHER, SETS, TARGET) if key.startswith(prefix)), "")
    return kind if NAME.fullmatch(kind) and key != f"{FURTHER}action" else ""


def _problem_of_set(names: list[str]) -> str:
    """Describe what is wrong with a set of classes; empty when nothing is."""
    if any(not name or name != name.strip() for name in names):
        return f"with a name that is empty or has spaces around it; put {BETWEEN!r} between names alone"
    return "with a name twice" if len(set(map(plain, names))) != len(names) else ""
