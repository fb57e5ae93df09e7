"""Charades as it is published: `<id>.mp4` beside CSV lists of the actions in each."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from harness.datasets import cards
from harness.datasets.file_names import read_lines
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard

LISTS = {"train": "Charades_v1_train.csv", "test": "Charades_v1_test.csv"}
"""Name of each split's list."""

CLASSES = "Charades_v1_classes.txt"

FOLDERS = ("", "Charades", "annotations")
"""Folders that may hold the lists, below the data set's; `""` is that itself."""

VIDEOS = ("Charades_v1_480", "Charades_v1", "videos", "")
"""Folders that may hold the videos, as `FOLDERS`."""

COLUMNS = ("id", "subject", "actions")
"""Columns of the lists that are read."""

REMEDY = "get the official lists again"

_ID = re.compile(r"[A-Za-z0-9_-]+")
_CLASS = re.compile(r"c(?P<number>\d{3}) \S.*")
_ACTION = re.compile(r"c(?P<number>\d{3}) \d+(\.\d*)? \d+(\.\d*)?")


class _Row(NamedTuple):
    subject: str
    actions: tuple[int, ...]


class Charades(ListedDataset):
    """9,848 videos of half a minute, in each of which people do several of 157 things.

    They acted at home, by a script. Test leaves out those without an action.

    Source: Sigurdsson, Varol, Wang, Farhadi, Laptev and Gupta, "Hollywood in homes: crowdsourcing data collection for
    activity understanding", 2016.

    Expected, as the archives unpack, in the folder, `Charades/` or `annotations/`: `Charades_v1_train.csv` and
    `Charades_v1_test.csv` (of each video its `id`, `subject` and `actions`, `c092 11.90 21.20;c147 0.00 12.60`; other
    columns are not read) and `Charades_v1_classes.txt` (a line `c000 <action>` for each class, in order); and
    `<id>.mp4` in `Charades_v1_480/`, `Charades_v1/`, `videos/` or the folder.

    The actions of a video, whenever they take place, are its set of classes of the multi-label kind `action`, which
    may be empty in train. Published is the mAP over videos, as `multilabel_probe` gives it. Public scripts for it rank
    test videos without an action last in every class, where they count for nothing; test has none of them. The group is
    the subject who acted; one whom the lists have on both sides becomes two groups, `train/<subject>` and
    `test/<subject>`.
    """

    card: ClassVar[DatasetCard] = cards.CHARADES

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `Charades_v1_train.csv` and `Charades_v1_test.csv`."""
        train, test = ({row.subject for row in rows.values()} for rows in self._rows.values())
        both = train & test
        place = next(one for one in VIDEOS if not one or is_folder(self.folder / one))
        files = [
            ListedFile(
                path=f"{place}/{video}.mp4" if place else f"{video}.mp4",
                id=video,
                multilabels={"action": row.actions},
                group=f"{name}/{row.subject}" if row.subject in both else row.subject,
            )
            for video, row in self._rows[name].items()
        ]
        return files, {}

    def multilabel_classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the actions: `c000 Holding some clothes`.

        Raises:
            DataError: when the list is missing or wrong.
        """
        return {"action": self._actions}

    @cached_property
    def _lists(self) -> Path:
        """Folder of the lists."""
        return self.holding(LISTS["train"], FOLDERS, "get the annotations from the authors' page")

    @cached_property
    def _actions(self) -> tuple[str, ...]:
        path = self._lists / CLASSES
        lines = read_lines(path, REMEDY)
        for place, (number, line) in enumerate(lines.items()):
            match = _CLASS.fullmatch(line)
            if match is None or int(match["number"]) != place:
                msg = f"{path}, line {number}: {line!r} should be 'c{place:03d} <action>'; {REMEDY}"
                raise DataError(msg)
        if not lines:
            msg = f"{path}: names no actions; {REMEDY}"
            raise DataError(msg)
        return tuple(lines.values())

    @cached_property
    def _rows(self) -> dict[str, dict[str, _Row]]:
        """Subject and actions of each video by its id, for both splits."""
        known: dict[str, str] = {}
        rows: dict[str, dict[str, _Row]] = {}
        for split, name in LISTS.items():
            path = self._lists / name
            rows[split] = {}
            for number, cells in enumerate(_cells(path), start=1):
                video, written = cells["id"], [text for text in cells["actions"].split(";") if text]
                actions = [match for text in written if (match := _ACTION.fullmatch(text))]
                numbers = {int(match["number"]) for match in actions}
                problem = ""
                if not _ID.fullmatch(video):
                    problem = f"{video!r} is no id of a video"
                elif video in known:
                    problem = f"{video} is in {known[video]} already"
                elif not cells["subject"]:
                    problem = f"{video} has no subject"
                elif len(actions) != len(written):
                    problem = f"the actions of {video} should be 'c092 11.90 21.20;...', and are {cells['actions']!r}"
                elif numbers and max(numbers) >= len(self._actions):
                    problem = f"action c{max(numbers):03d} is none of the {len(self._actions)} of {CLASSES}"
                if problem:
                    msg = f"{path}, row {number}: {problem}; {REMEDY}"
                    raise DataError(msg)
                known[video] = name
                if numbers or split == "train":
                    rows[split][video] = _Row(cells["subject"], tuple(sorted(numbers)))
        return rows


def _cells(path: Path) -> list[dict[str, str]]:
    """Read the columns that count of each row of a list."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = [row for row in csv.reader(file, strict=True) if row] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as CSV ({error}); {REMEDY}"
        raise DataError(msg) from error
    if not set(COLUMNS) <= set(header):
        msg = f"{path}: should have the columns {', '.join(COLUMNS)}; they are {', '.join(header) or 'none'}; {REMEDY}"
        raise DataError(msg)
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            msg = f"{path}, row {number}: {len(row)} cells, {len(header)} columns; {REMEDY}"
            raise DataError(msg)
    places = {column: header.index(column) for column in COLUMNS}
    return [{column: row[place].strip() for column, place in places.items()} for row in rows]
