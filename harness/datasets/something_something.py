"""Something-Something V2 as it is published: clips beside `labels/`."""

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
from harness.system.presence import is_file, is_folder

if TYPE_CHECKING:
    from harness.cards import DatasetCard

LISTS = {"train": "train.json", "test": "validation.json"}
"""Name of each split's list."""

LABELS = "labels.json"

FOLDERS = ("labels", "annotations", "")
"""Folders that may hold the lists, below the data set's; `""` is that itself."""

PREFIXES = ("", "something-something-v2-")
"""Beginnings of the lists' names: today's, and that of the first publication."""

VIDEOS = ("20bn-something-something-v2", "videos", "")
"""Folders that may hold the clips, as `FOLDERS`."""

_ID = re.compile(r"[0-9]{1,9}")


class SomethingSomethingV2(ListedDataset):
    """193,690 clips of 174 things that people do with things, such as pushing one.

    Filmed for the data set; things and places tell little of the action.

    Source: Goyal et al., "The 'something something' video database for learning and evaluating visual common sense",
    2017; the second edition: Mahdisoltani et al., "On the effectiveness of task granularity for transfer learning",
    2018.

    Expected, as Qualcomm's archives unpack: `20bn-something-something-v2/<id>.webm`, `labels/labels.json` (the number
    of each label, 0 to 173), `labels/train.json` and `labels/validation.json` (for each clip its `id` and `template`,
    which is the label when `[` and `]` are taken out). The lists may also have the names of the first publication,
    `something-something-v2-labels.json` and so on, and lie in `annotations/` or in the folder itself; the clips may lie
    in `videos/` or in the folder itself.

    The split `test` is the validation list, which everybody measures on: the test list has no labels. Classes have
    the numbers of `labels.json`. Clips have no group, since the lists do not tell who filmed them.
    """

    card: ClassVar[DatasetCard] = cards.SOMETHING_SOMETHING_V2

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read `train.json` or `validation.json`, and `labels.json`."""
        numbers = self._numbers
        place = next(one for one in VIDEOS if not one or is_folder(self.folder / one))
        files = [
            ListedFile(
                path=f"{place}/{clip}.webm" if place else f"{clip}.webm", id=clip, labels={"action": numbers[label]}
            )
            for clip, label in self._clips[name].items()
        ]
        return files, {"action": tuple(numbers)}

    @cached_property
    def _lists(self) -> tuple[Path, str]:
        """Folder of the lists, and the beginning of their names."""
        for below in FOLDERS:
            for prefix in PREFIXES:
                if is_file(self.folder / below / f"{prefix}{LABELS}"):
                    return self.folder / below, prefix
        names = " or ".join(f"{prefix}{LABELS}" for prefix in PREFIXES)
        places = " or ".join(f"{below}/" for below in FOLDERS if below)
        msg = f"data set {self.card.name!r}: no {names} in {self.folder}, or in {places} there; get the official lists"
        raise DataError(msg)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        """Number of each label, in the order of the numbers."""
        folder, prefix = self._lists
        path = folder / f"{prefix}{LABELS}"
        content = read_json(path)
        labels = content if isinstance(content, dict) else {}
        positions = {str(number): number for number in range(len(labels))}
        if not labels or {number for number in labels.values() if isinstance(number, str)} != set(positions):
            msg = f"{path}: should be an object of each label with its number as a text, from '0' on; {REMEDY}"
            raise DataError(msg)
        return dict(sorted(((label, positions[text]) for label, text in labels.items()), key=lambda pair: pair[1]))

    @cached_property
    def _clips(self) -> dict[str, dict[str, str]]:
        """Label of each clip by its id, for both splits."""
        folder, prefix = self._lists
        clips: dict[str, dict[str, str]] = {}
        listed: dict[str, str] = {}
        for split, name in LISTS.items():
            path = folder / f"{prefix}{name}"
            clips[split] = {}
            for number, row in enumerate(read_objects(path, {"id": str, "template": str}), start=1):
                clip, label = row["id"], row["template"].replace("[", "").replace("]", "")
                problem = ""
                if not _ID.fullmatch(clip):
                    problem = f"{clip!r} is no id, a number"
                elif clip in listed:
                    problem = f"{clip} is in {listed[clip]} already"
                elif label not in self._numbers:
                    problem = f"{prefix}{LABELS} has no label {label!r}"
                if problem:
                    msg = f"{path}, entry {number}: {problem}; {REMEDY}"
                    raise DataError(msg)
                listed[clip] = path.name
                clips[split][clip] = label
        return clips
