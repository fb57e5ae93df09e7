"""Kinetics-400 and Kinetics-600: clips beside `train.csv` and `validate.csv`."""

from __future__ import annotations

import csv
import os
import re
from collections import Counter
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar, NamedTuple, NoReturn

from harness.datasets import cards
from harness.datasets.folders import VIDEOS
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_file

if TYPE_CHECKING:
    from harness.cards import DatasetCard

COLUMNS = ["label", "youtube_id", "time_start", "time_end", "split"]
"""Columns of the lists; `is_cc` or others may follow."""

FOLDERS = ("", "annotations")
"""Folders that may hold the lists, below the data set's folder."""

LISTS = {"train": ("train",), "test": ("validate", "val")}
"""Names of each split's list, without `.csv`, and words of the column `split`."""

OF_DISKS = ("lost+found", "System Volume Information", "$RECYCLE.BIN")
"""System folders at the root of a disk, which cannot be listed."""

_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_SECONDS = re.compile(r"(\d{1,6})(?:\.0*)?")
_LABEL = re.compile(r"[^/\\\x00-\x1f.][^/\\\x00-\x1f]*")


class Row(NamedTuple):
    """A clip that a list names."""

    label: str
    youtube_id: str
    clip: str
    """`<youtube_id>_<start:06d>_<end:06d>`."""


class Kinetics400(ListedDataset):
    """240,000 clips of ten seconds of 400 actions from YouTube, one a video.

    Many are no longer to be had.

    Source: Kay et al., "The Kinetics human action video dataset", 2017.

    Expected: `train.csv` and `validate.csv` (or `val.csv`) in the folder or in `annotations/`, and clips
    `<youtube_id>_<start, 6 digits>_<end, 6 digits>.mp4` anywhere below the folder: `train/<label>/`, `<label>/`, all in
    one folder; or `<youtube_id>.mp4`, where the lists have no other clip of the video. The list gives the label, not
    the folder. Clips as they came from YouTube, `.mkv` or `.webm`, do as well, also with the suffix behind another one.

    The split `test` is the validation list, which everybody measures on: the labels of the test list are not public.
    Clips that are not there are left out, and the splits say so; a number from an incomplete copy is a number on
    other data. The group is the video on YouTube.
    """

    card: ClassVar[DatasetCard] = cards.KINETICS400

    absent = "skip"

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `train.csv` or `validate.csv`, and look for the clips."""
        rows = self._rows
        classes = tuple(sorted({row.label for row in rows["train"]}))
        number = {label: index for index, label in enumerate(classes)}
        files = [
            ListedFile(
                path=self._files.get(row.clip) or self._files.get(self._alone(row)) or _expected(name, row),
                id=row.clip,
                labels={"action": number[row.label]},
                group=row.youtube_id,
            )
            for row in rows[name]
        ]
        return files, {"action": classes}

    def _alone(self, row: Row) -> str:
        """Name of a clip that is its video's only one, without times; else empty."""
        return row.youtube_id if self._clips[row.youtube_id] == 1 else ""

    @cached_property
    def _clips(self) -> Counter[str]:
        """Count the clips of each video in both lists."""
        return Counter(row.youtube_id for rows in self._rows.values() for row in rows)

    @cached_property
    def _files(self) -> dict[str, str]:
        """Paths of all clips by name without suffixes.

        Of equal names the one of `.mp4` alone is taken, else the first.
        """
        clips: dict[str, str] = {}
        walked = set()
        for folder, below, names in os.walk(self.folder, followlinks=True, onerror=_refuse):
            status = Path(folder).stat()
            if (status.st_dev, status.st_ino) in walked:  # a link that leads back
                below.clear()
                continue
            walked.add((status.st_dev, status.st_ino))
            below[:] = sorted(name for name in below if not name.startswith(".") and name not in OF_DISKS)
            prefix = os.path.relpath(folder, self.folder).replace(os.sep, "/") + "/"
            for name in sorted(names):
                clip, *suffixes = name.split(".")
                if clip and suffixes and VIDEOS.issuperset(f".{suffix.lower()}" for suffix in suffixes):
                    known = clips.get(clip)
                    if known is None or (name == f"{clip}.mp4" and PurePosixPath(known).name != name):
                        clips[clip] = prefix.removeprefix("./") + name
        return clips

    @cached_property
    def _rows(self) -> dict[str, list[Row]]:
        """Rows of both lists, by split."""
        lists = {split: self._list(split) for split in LISTS}
        train = read_list(lists["train"], LISTS["train"])
        labels = {row.label for row in train.values()}
        videos = {row.youtube_id for row in train.values()}
        test = read_list(lists["test"], LISTS["test"])
        for line, row in test.items():
            if row.label not in labels:
                msg = f"{lists['test']}, line {line}: no clip of {lists['train'].name} has the label {row.label!r}"
                raise DataError(f"{msg}; get the lists of one data set")
            if row.youtube_id in videos:
                msg = f"{lists['test']}, line {line}: {row.youtube_id} is in {lists['train'].name} too"
                raise DataError(f"{msg}; get the official lists")
        return {"train": list(train.values()), "test": list(test.values())}

    def _list(self, split: str) -> Path:
        for below in FOLDERS:
            for name in LISTS[split]:
                path = self.folder / below / f"{name}.csv"
                if is_file(path):
                    return path
        names = " or ".join(f"{name}.csv" for name in LISTS[split])
        msg = f"data set {self.card.name!r}: no {names} in {self.folder} or {FOLDERS[1]}/ there; get the official lists"
        raise DataError(msg)


class Kinetics600(Kinetics400):
    """480,000 clips of ten seconds of 600 actions, laid out as Kinetics-400.

    Source: Carreira, Noland, Banki-Horvath, Hillier and Zisserman, "A short note about Kinetics-600", 2018.
    """

    card: ClassVar[DatasetCard] = cards.KINETICS600


def _refuse(error: OSError) -> NoReturn:
    """Raise for a folder that cannot be listed: its clips may still exist."""
    msg = f"{error.filename}: cannot be listed ({error.strerror}); check its permissions and the disk"
    raise DataError(msg, reason="unreadable") from error


def _expected(split: str, row: Row) -> str:
    """Path that a missing clip is named by."""
    return f"{split}/{row.label}/{row.clip}.mp4"


def read_list(path: Path, words: tuple[str, ...]) -> dict[int, Row]:
    """Read the rows of a list, by line.

    Args:
        path: the CSV file.
        words: words for its split that a row may have.

    Raises:
        DataError: when it is not as published, naming the line.
    """
    rows: dict[int, Row] = {}
    clips = set()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            header = next(reader, [])
            if header[: len(COLUMNS)] != COLUMNS:
                msg = f"{path}, line 1: the columns should be {','.join(COLUMNS)}; get the official lists"
                raise DataError(msg)
            for cells in reader:
                if cells:
                    row = _row(cells, len(header), words, f"{path}, line {reader.line_num}")
                    if row.clip in clips:
                        msg = f"{path}, line {reader.line_num}: clip {row.clip} a second time; get the official lists"
                        raise DataError(msg)
                    clips.add(row.clip)
                    rows[reader.line_num] = row
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        msg = f"{path}: cannot be read as CSV ({error}); get the official lists again"
        raise DataError(msg) from error
    return rows


def _row(cells: list[str], columns: int, words: tuple[str, ...], where: str) -> Row:
    if len(cells) != columns:
        msg = f"{where}: {len(cells)} cells where the header has {columns}; get the official lists"
        raise DataError(msg)
    label, youtube_id, *times, word = cells[: len(COLUMNS)]
    start, end = (_SECONDS.fullmatch(time) for time in times)
    problem = ""
    if not _LABEL.fullmatch(label):
        problem = f"{label!r} is no label"
    elif not _YOUTUBE_ID.fullmatch(youtube_id):
        problem = f"{youtube_id!r} is no YouTube id, 11 of A-Z, a-z, 0-9, _ and -"
    elif start is None or end is None or int(start[1]) >= int(end[1]):
        problem = f"{times[0]!r} to {times[1]!r} is no interval in seconds"
    elif word not in words:
        problem = f"split {word!r} in the list of {words[0]!r}"
    if problem or start is None or end is None:
        msg = f"{where}: {problem}; get the official lists"
        raise DataError(msg)
    return Row(label, youtube_id, f"{youtube_id}_{int(start[1]):06d}_{int(end[1]):06d}")
