"""UCF101 as it is published: class folders beside `ucfTrainTestlist/`."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from harness.datasets import cards, locations
from harness.datasets.listed_files import Bad, read_split
from harness.datasets.ucf_layout import LISTS, class_index, entries

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.splits import VideoSplit

FOLDERS = ("UCF-101", "UCF101", "videos", "")
"""Where the class folders are, below the folder that holds `ucfTrainTestlist/`."""


class UCF101:
    """13,320 videos of 101 actions from YouTube, in 25 groups an action; three official splits by group.

    Source: Soomro, Zamir and Shah, "UCF101: a dataset of 101 human actions classes from videos in the wild", 2012.

    Args:
        fold: which of the three official splits.
        bad: what becomes of videos that cannot be used.
    """

    card: ClassVar[DatasetCard] = cards.UCF101

    def __init__(self, fold: Literal[1, 2, 3] = 1, bad: Bad = "error") -> None:
        self.fold = fold
        self.bad: Bad = bad

    @cached_property
    def folder(self) -> Path:
        """The folder that holds `ucfTrainTestlist/`.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when the lists are not there.
        """
        return locations.holding(
            self.card.name, f"{LISTS}/", ("", ".."), "get the official split lists and unpack them there"
        )

    def split(self, name: str) -> VideoSplit:
        """The labelled split `name`, `train` or `test`; the first call decodes every video once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when lists or videos are missing, or wrong.
        """
        classes = tuple(class_index(self.folder))
        inside = (self.folder / videos / classes[0] for videos in FOLDERS) if classes else ()
        videos = next((folder.parent for folder in inside if folder.is_dir()), self.folder / FOLDERS[0])
        below = videos.relative_to(self.folder).as_posix()
        found = entries(self.folder, name, self.fold, videos="" if below == "." else below)
        return read_split(name, self.folder, found, {"action": classes}, dataset=self.card.name, bad=self.bad)
