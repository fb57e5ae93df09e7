"""Breakfast as it is published: `<person>/<camera>/<person>_<activity>.avi`."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.datasets import cards
from harness.datasets.file_names import read_lines
from harness.datasets.folders import media, visible
from harness.datasets.listed_files import ListedFile, OnBadFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard

VIDEOS = "BreakfastII_15fps_qvga_sync"
"""Folder of the people's folders, as the archives unpack."""

ACTIVITIES = (
    "cereals",
    "coffee",
    "friedegg",
    "juice",
    "milk",
    "pancake",
    "salat",
    "sandwich",
    "scrambledegg",
    "tea",
)
CAMERAS = ("cam01", "cam02", "stereo", "webcam01", "webcam02")

PEOPLE = {
    fold: tuple(f"P{number:02d}" for number in range(first, first + 13))
    for fold, first in enumerate((3, 16, 29, 42), start=1)
}
"""People that each fold tests, as the authors' s1 to s4: P03 to P15, ..., P54."""

RATE = 15
"""Frames a second that the labels count."""

_NAME = re.compile(r"(?P<person>P\d\d)_(?P<activity>[a-z]+)(?P<channel>_ch[01])?\.avi")
_UNIT = re.compile(r"(?P<start>[1-9]\d*)-(?P<end>[1-9]\d*)\s+(?P<unit>[A-Za-z0-9_]+)")


class Breakfast(ListedDataset):
    """1,712 videos of 52 people who prepare one of 10 breakfasts in 18 kitchens.

    Each is filmed by three to five cameras; a video has minutes.

    Source: Kuehne, Arslan and Serre, "The language of actions: recovering the syntax and semantics of goal-directed
    human activities", 2014.

    Expected, as the archives unpack: `BreakfastII_15fps_qvga_sync/<person>/<camera>/<person>_<activity>.avi`, for all
    people, P03 to P54; the folder told is that or the one around it. Files of other kinds are ignored.
    The stereo camera's videos end in `_ch0.avi` and `_ch1.avi`: of the two eyes, which show the same, the first that
    is there counts.

    The activity is the label `action`, the camera the label `camera`; the group is the person. A fold tests a quarter
    of the people and trains on all others. Nothing is published that lists the videos: one that is gone is not missed.

    With `segments` each coarse action of a video is a video of its own, as in the authors' classification of action
    units: lines `<start>-<end> <action>` of `<name>.avi.labels` beside `<name>.avi`, in frames from 1, 15 a second,
    both ends within. Its name is then the label `action`, `SIL` for nothing. A line whose end lies before its start
    names nothing, and a part that reaches beyond its file ends there.

    Args:
        fold: which quarter of the people is test, the authors' s1 to s4.
        segments: True for coarse actions, False for whole videos.
        bad: what becomes of videos that cannot be used.
        location: see `LocatedDataset`.
    """

    card: ClassVar[DatasetCard] = cards.BREAKFAST

    def __init__(
        self,
        fold: Literal[1, 2, 3, 4] = 1,
        bad: OnBadFile = "error",
        *,
        segments: bool = False,
        location: Path | None = None,
    ) -> None:
        super().__init__(bad, location=location)
        self.fold = fold
        self.segments = segments

    @cached_property
    def folder(self) -> Path:
        """The folder of the people's folders.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when somebody's folder is not there.
        """
        folder = self.location / VIDEOS if is_folder(self.location / VIDEOS) else self.location
        for people in PEOPLE.values():
            for person in people:
                if not is_folder(folder / person):
                    msg = (
                        f"data set {self.card.name!r}: no {person}/ in {folder}, of people {PEOPLE[1][0]} to "
                        f"{PEOPLE[4][-1]}; unpack all archives, or correct the path"
                    )
                    raise DataError(msg)
        return folder

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Walk the folders of the people that the fold has in the split."""
        files = [
            file
            for fold, people in PEOPLE.items()
            if (fold == self.fold) == (name == "test")
            for person in people
            for file in self._of(person)
        ]
        if self.segments:
            files = [segment for file in files for segment in self._segments_of(file)]
        return files, {"action": self._units if self.segments else ACTIVITIES, "camera": CAMERAS}

    @cached_property
    def _units(self) -> tuple[str, ...]:
        """Names of the coarse actions, over all people."""
        of_people = (self._of(person) for people in PEOPLE.values() for person in people)
        units = {unit for files in of_people for file in files for _, _, unit in self._lines(file)}
        return tuple(sorted(units))

    def _segments_of(self, file: ListedFile) -> list[ListedFile]:
        """List the coarse actions of a video."""
        return [
            dataclasses.replace(
                file,
                id=f"{file.id} {start}-{end}",
                labels={**file.labels, "action": self._units.index(unit)},
                seconds=((start - 1) / RATE, end / RATE),
                cut=True,
            )
            for start, end, unit in self._lines(file)
        ]

    def _lines(self, file: ListedFile) -> list[tuple[int, int, str]]:
        """First and last frame, counted from 1, and name of each coarse action of a video.

        Raises:
            DataError: when its labels are missing or wrong, naming the line.
        """
        path = self.folder / f"{file.path}.labels"
        if path not in self._read:
            self._read[path] = []
            for number, line in read_lines(path, "unpack the archive again").items():
                match = _UNIT.fullmatch(line)
                if match is None:
                    msg = (
                        f"{path}, line {number}: {line!r} should be '<start>-<end> <action>'; unpack the archive again"
                    )
                    raise DataError(msg)
                start, end = int(match["start"]), int(match["end"])
                self._read[path] += [(start, end, match["unit"])] * (start <= end)
        return self._read[path]

    @cached_property
    def _read(self) -> dict[Path, list[tuple[int, int, str]]]:
        return {}

    def _of(self, person: str) -> list[ListedFile]:
        """List a person's videos, by camera and activity."""
        files: dict[str, ListedFile] = {}
        for camera in visible(self.folder / person):
            if not is_folder(camera):
                continue
            for path in media(visible(camera)):
                match = _NAME.fullmatch(path.name)
                if (
                    match is None
                    or match["person"] != person
                    or match["activity"] not in ACTIVITIES
                    or camera.name not in CAMERAS
                    or (match["channel"] and camera.name != "stereo")
                ):
                    msg = (
                        f"{path}: should be {person}/<camera>/{person}_<activity>.avi, in stereo/ with _ch0 or _ch1 "
                        f"before .avi; cameras are {', '.join(CAMERAS)}, activities {', '.join(ACTIVITIES)}; unpack "
                        "the archive again, or move it away"
                    )
                    raise DataError(msg)
                file = ListedFile(
                    path=path.relative_to(self.folder).as_posix(),
                    id=f"{person}/{camera.name}/{person}_{match['activity']}",
                    labels={"action": ACTIVITIES.index(match["activity"]), "camera": CAMERAS.index(camera.name)},
                    group=person,
                )
                files.setdefault(file.id, file)  # of a stereo pair the first, in the order of names
        return list(files.values())
