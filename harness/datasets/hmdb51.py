"""HMDB51 as it is published: class folders beside `testTrainMulti_7030_splits/`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.action_folds import FoldedDataset
from harness.datasets.file_names import read_lines
from harness.datasets.listed_files import ListedFile
from harness.errors import DataError
from harness.system.presence import is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard

LISTS = "testTrainMulti_7030_splits"

MARKS = {"1": "train", "2": "test", "0": ""}
"""Split by the number behind a file's name; 0 is in neither."""

_LIST = re.compile(r"(?P<action>.+)_test_split(?P<fold>\d+)\.txt")


class HMDB51(FoldedDataset):
    """6,766 clips of 51 actions from films and the web, with three official splits.

    Each has 70 clips a class to train on and 30 to test.

    Source: Kuehne, Jhuang, Garrote, Poggio and Serre, "HMDB: a large video database for human motion recognition",
    2011.

    Expected: `<folder>/<class>/<clip>.avi` (the archives of the classes unpacked, in the folder itself or in `videos`,
    `hmdb51_org` or `hmdb51` below it) and `<folder>/testTrainMulti_7030_splits/<class>_test_split<fold>.txt`, with a
    line `<clip>.avi <1 train, 2 test, 0 neither>` for each clip.

    A clip's group is its split and the film it was cut from, the part of its name before `_<class>_`:
    `train/<film>` or `test/<film>`. The official lists, which are kept as they are, keep films apart within a class
    only, so that a film can have clips on both sides.
    """

    card: ClassVar[DatasetCard] = cards.HMDB51
    lists = LISTS
    places = ("videos", "hmdb51_org", "HMDB51", "hmdb51", "")

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the lists of the fold, one for each class."""
        lists = self._class_lists()
        folder = self._class_folders(lists)
        files = [
            ListedFile(
                path=f"{folder}{action}/{clip}",
                id=f"{action}/{clip.removesuffix('.avi')}",
                labels={"action": number},
                group=f"{name}/{_film(action, clip)}",
            )
            for number, (action, path) in enumerate(lists.items())
            for clip, side in _read(path)
            if side == name
        ]
        return files, {"action": tuple(lists)}

    def _class_lists(self) -> dict[str, Path]:
        """Find the fold's list of each class, in the order of the classes' names."""
        lists: dict[str, Path] = {}
        classes = set()
        for path in sorted((self.folder / LISTS).iterdir()):
            match = _LIST.fullmatch(path.name)
            if match is not None:
                classes.add(match["action"])
                if match["fold"] == str(self.fold):
                    lists[match["action"]] = path
        lacking = sorted(classes - set(lists))
        if lacking or not classes:
            what = f"{lacking[0] if lacking else '<class>'}_test_split{self.fold}.txt"
            msg = f"{self.folder / LISTS}: {what} is not there; get the official lists again"
            raise DataError(msg)
        return dict(sorted(lists.items()))

    def _class_folders(self, lists: dict[str, Path]) -> str:
        """Find the path before the class folders, `videos/` or nothing.

        Every folder there needs lists.
        """
        place = self.place(lists)
        if place is None:
            return ""
        known = {*lists, *(self.places if not place else ()), LISTS}
        for path in sorted((self.folder / place).iterdir()):
            if is_folder(path) and path.name not in known and not path.name.startswith("."):
                msg = (
                    f"{path}: {LISTS}/ has no {path.name}_test_split{self.fold}.txt for this class folder; get the "
                    "official lists again, or move the folder away"
                )
                raise DataError(msg)
        return f"{place}/" if place else ""


def _read(path: Path) -> list[tuple[str, str]]:
    """Read a list: names of clips, each with its split, empty for neither."""
    rows: dict[str, str] = {}
    for number, line in read_lines(path, "get the official lists again").items():
        clip, mark = (*line.rsplit(maxsplit=1), "")[:2]
        good = clip.endswith(".avi") and "/" not in clip and "\\" not in clip and "\0" not in clip
        if not good or mark not in MARKS or clip in rows:
            msg = f"{path}, line {number}: {line!r} should be '<clip>.avi <0, 1 or 2>', each clip once"
            raise DataError(msg)
        rows[clip] = MARKS[mark]
    return list(rows.items())


def _film(action: str, clip: str) -> str:
    """Name the film of a clip: `Film_a_hit_f_cm_np1_ba_med_0.avi`, `hit` -> `Film_a`.

    The whole name where the class is not in it.
    """
    film, _, _ = clip.removesuffix(".avi").rpartition(f"_{action}_")
    return film or clip.removesuffix(".avi")
