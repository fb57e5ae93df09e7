"""Base of UCF101 and HMDB51: class folders beside lists for three official splits."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from harness.datasets.listed_files import OnBadFile
from harness.datasets.located import ListedDataset
from harness.system.presence import is_folder


class FoldedDataset(ListedDataset):
    """Videos of actions in class folders, with three official splits.

    Args:
        fold: which of the three official splits.
        bad: what becomes of videos that cannot be used.
        location: the folder of the lists' folder, or that of the class folders; see `LocatedDataset`.
    """

    lists: ClassVar[str]
    """Name of the folder of the lists."""
    places: ClassVar[tuple[str, ...]]
    """Folders that may hold the class folders, below the one that holds the lists.

    `""` is that itself."""

    def __init__(self, fold: Literal[1, 2, 3] = 1, bad: OnBadFile = "error", *, location: Path | None = None) -> None:
        super().__init__(bad, location=location)
        self.fold = fold

    @cached_property
    def folder(self) -> Path:
        """The folder that holds the lists' folder.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when the lists are not there.
        """
        return self.holding(f"{self.lists}/", ("", ".."), "get the official split lists and unpack them there")

    def place(self, classes: Iterable[str]) -> str | None:
        """Find which of `places` holds folders of the classes; None where none does."""
        return next((one for one in self.places if any(is_folder(self.folder / one / name) for name in classes)), None)
