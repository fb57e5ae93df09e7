"""HMDB51 as it is published: class folders beside `testTrainMulti_7030_splits/`."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.datasets import cards, locations
from harness.datasets.listed_files import Bad, ListedFile, read_split
from harness.errors import DataError, unknown

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.splits import VideoSplit

LISTS = "testTrainMulti_7030_splits"
FOLDERS = ("videos", "hmdb51_org", "HMDB51", "hmdb51", "")
"""Where the class folders may be, below the folder that holds the lists."""

MARKS = {"1": "train", "2": "test", "0": ""}
"""What the number behind a file's name means; 0 is in neither split."""

_LIST = re.compile(r"(?P<action>.+)_test_split(?P<fold>\d+)\.txt")


class HMDB51:
    """6,766 clips of 51 actions from films and the web; three official splits of 70 train and 30 test clips a class.

    Source: Kuehne, Jhuang, Garrote, Poggio and Serre, "HMDB: a large video database for human motion recognition",
    2011.

    Expected: `<folder>/<class>/<clip>.avi` (the archives of the classes unpacked, in the folder itself or in `videos`,
    `hmdb51_org` or `hmdb51` below it) and `<folder>/testTrainMulti_7030_splits/<class>_test_split<fold>.txt`, with a
    line `<clip>.avi <1 train, 2 test, 0 neither>` for each clip.

    A clip's group is the film it was cut from, the part of its name before `_<class>_`. The official lists, which are
    kept as they are, keep films apart within a class only: a film with clips on both sides becomes two groups,
    `train/<film>` and `test/<film>`.

    Args:
        fold: which of the three official splits.
        bad: what becomes of clips that cannot be used.
    """

    card: ClassVar[DatasetCard] = cards.HMDB51

    def __init__(self, fold: Literal[1, 2, 3] = 1, bad: Bad = "error") -> None:
        self.fold = fold
        self.bad: Bad = bad

    @cached_property
    def folder(self) -> Path:
        """The folder that holds the lists.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when the lists are not there.
        """
        return locations.holding(
            self.card.name, f"{LISTS}/", ("", ".."), "get the official split lists and unpack them there"
        )

    def split(self, name: str) -> VideoSplit:
        """The labelled split `name`, `train` or `test`; the first call decodes every clip once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when lists or clips are missing, or wrong.
        """
        if name not in self.card.splits:
            raise unknown("split", name, self.card.splits)
        lists = self._lists()
        videos = self._videos(set(lists))
        listed = [(action, *row) for action, path in lists.items() for row in _read(path)]
        sides = defaultdict(set)
        for action, clip, side in listed:
            sides[_film(action, clip)].add(side)
        found = []
        for action, clip, side in listed:
            if side == name:
                film = _film(action, clip)
                found.append(
                    ListedFile(
                        path=f"{videos}{action}/{clip}",
                        id=f"{action}/{clip.removesuffix('.avi')}",
                        labels={"action": list(lists).index(action)},
                        group=film if sides[film] <= {name, ""} else f"{name}/{film}",
                    )
                )
        return read_split(name, self.folder, found, {"action": tuple(lists)}, dataset=self.card.name, bad=self.bad)

    def _lists(self) -> dict[str, Path]:
        """For each class, in the order of their names, its list of the fold."""
        found: dict[str, Path] = {}
        classes = set()
        for path in sorted((self.folder / LISTS).iterdir()):
            match = _LIST.fullmatch(path.name)
            if match is not None:
                classes.add(match["action"])
                if match["fold"] == str(self.fold):
                    found[match["action"]] = path
        lacking = sorted(classes - set(found))
        if lacking or not classes:
            what = f"{lacking[0] if lacking else '<class>'}_test_split{self.fold}.txt"
            msg = f"{self.folder / LISTS}: {what} is not there; get the official lists again"
            raise DataError(msg)
        return dict(sorted(found.items()))

    def _videos(self, classes: set[str]) -> str:
        """What stands before the class folders: `videos/`, or nothing; every folder there needs lists."""
        for below in FOLDERS:
            folder = self.folder / below
            if any((folder / action).is_dir() for action in classes):
                break
        else:
            return ""
        known = {*classes, *(FOLDERS if not below else ()), LISTS}
        for path in sorted(folder.iterdir()):
            if path.is_dir() and path.name not in known and not path.name.startswith("."):
                msg = (
                    f"{path}: {LISTS}/ has no {path.name}_test_split{self.fold}.txt for this class folder; get the "
                    "official lists again, or move the folder away"
                )
                raise DataError(msg)
        return f"{below}/" if below else ""


def _read(path: Path) -> list[tuple[str, str]]:
    """What a list says: names of clips, each with its split, empty for neither."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error}); get the official lists again"
        raise DataError(msg) from error
    rows: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        clip, _, mark = line.strip().rpartition(" ")
        clip = clip.rstrip()
        good = clip.endswith(".avi") and "/" not in clip and "\\" not in clip and "\0" not in clip
        if not good or mark not in MARKS or clip in rows:
            msg = f"{path}, line {number}: {line!r} should be '<clip>.avi <0, 1 or 2>', each clip once"
            raise DataError(msg)
        rows[clip] = MARKS[mark]
    return list(rows.items())


def _film(action: str, clip: str) -> str:
    """`Film_a_hit_f_cm_np1_ba_med_0.avi` of class `hit` -> `Film_a`; the whole name where the class is not in it."""
    film, _, _ = clip.removesuffix(".avi").rpartition(f"_{action}_")
    return film or clip.removesuffix(".avi")
