"""Diving48 in its second version: `rgb/<clip>.mp4` beside JSON lists."""

from __future__ import annotations

import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.json_lists import REMEDY, read_json, read_objects
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard

LISTS = {"train": "Diving48_V2_train.json", "test": "Diving48_V2_test.json"}
"""Name of each split's list."""

VOCABULARY = "Diving48_vocab.json"

FOLDERS = ("", "annotations")
"""Folders that may hold the lists, below the data set's; `""` is that itself."""

VIDEOS = ("rgb", "videos", "")
"""Folders that may hold the clips, as `FOLDERS`."""

_CLIP = re.compile(r"(?P<video>[A-Za-z0-9_-]+)_\d+")


class Diving48(ListedDataset):
    """16,997 clips of dives, of 48 kinds that differ in their motion alone.

    A dive is told by its take-off, somersaults, twists and position.

    Source: Li, Li and Vasconcelos, "RESOUND: towards action recognition without representation bias", 2018, with the
    lists that its authors corrected in 2020 (V2); those of 2018, which differ in labels and clips, are not read.

    Expected, as published: `rgb/<clip>.mp4` (`Diving48_rgb.tar.gz`), and in the folder `Diving48_V2_train.json` and
    `Diving48_V2_test.json` (for each clip its `vid_name` and `label`) and `Diving48_vocab.json` (for each label, in
    their order, its four parts). As mmaction2 lays it out, `videos/` and `annotations/`, does as well.

    A clip is shown whole: `start_frame` and `end_frame` of the lists are not read. Its group is the video on YouTube
    that it was cut from, a broadcast of many dives: its name without the last number. The lists are kept as they are:
    a video with clips on both sides becomes two groups, `train/<video>` and `test/<video>`.
    """

    card: ClassVar[DatasetCard] = cards.DIVING48

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `Diving48_V2_train.json` or `Diving48_V2_test.json`, and the vocabulary."""
        train, test = ({_video(clip) for clip in clips} for clips in self._clips.values())
        both = train & test
        place = next(one for one in VIDEOS if not one or is_folder(self.folder / one))
        files = [
            ListedFile(
                path=f"{place}/{clip}.mp4" if place else f"{clip}.mp4",
                id=clip,
                labels={"action": label},
                group=f"{name}/{_video(clip)}" if _video(clip) in both else _video(clip),
            )
            for clip, label in self._clips[name].items()
        ]
        return files, {"action": self._dives}

    @cached_property
    def _lists(self) -> Path:
        """Folder of the lists."""
        return self.holding(LISTS["train"], FOLDERS, "get the lists of the second version from the authors' page")

    @cached_property
    def _dives(self) -> tuple[str, ...]:
        """Names of the classes: `Back 15som 05Twis FREE`."""
        path = self._lists / VOCABULARY
        content = read_json(path)
        rows = content if isinstance(content, list) else []
        names = [
            " ".join(row) for row in rows if isinstance(row, list) and row and all(isinstance(one, str) for one in row)
        ]
        if not names or len(set(names)) != len(rows):
            msg = f"{path}: should be a list of dives, each once and a list of texts; {REMEDY}"
            raise DataError(msg)
        return tuple(names)

    @cached_property
    def _clips(self) -> dict[str, dict[str, int]]:
        """Label of each clip by its name, for both splits."""
        clips: dict[str, dict[str, int]] = {}
        listed: dict[str, str] = {}
        for split, name in LISTS.items():
            path = self._lists / name
            clips[split] = {}
            for number, row in enumerate(read_objects(path, {"vid_name": str, "label": int}), start=1):
                clip, label = row["vid_name"], row["label"]
                problem = ""
                if not _CLIP.fullmatch(clip):
                    problem = f"{clip!r} is not named <video>_<number>"
                elif clip in listed:
                    problem = f"{clip} is in {listed[clip]} already"
                elif not 0 <= label < len(self._dives):
                    problem = f"label {label} is none of the {len(self._dives)} of {VOCABULARY}"
                if problem:
                    msg = f"{path}, entry {number}: {problem}; {REMEDY}"
                    raise DataError(msg)
                listed[clip] = name
                clips[split][clip] = label
        return clips


def _video(clip: str) -> str:
    """Name the video of a clip: `2x00lRzlTVQ_00001` -> `2x00lRzlTVQ`."""
    return clip.rpartition("_")[0]
