"""Bases of the data sets that lie where the user says."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import locations
from harness.datasets.listed_files import ListedFile, OnBadFile, read_split
from harness.errors import DataError, unknown

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.splits import VideoSplit


class LocatedDataset:
    """Data set that the user has on disk.

    Args:
        location: its folder (or file); None takes that of the environment, or else of the user's configuration.
    """

    card: ClassVar[DatasetCard]

    def __init__(self, *, location: Path | None = None) -> None:
        self._told = location

    @property
    def location(self) -> Path:
        """The folder (or file) that the user named.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when nothing is there.
        """
        return locations.located(type(self).card.name, self._told)

    def holding(self, part: str, places: Sequence[str], remedy: str) -> Path:
        """Find the folder that holds `part`, see `harness.datasets.locations.holding`."""
        return locations.holding(self.card.name, self.location, part, places, remedy)


class ListedDataset(LocatedDataset, abc.ABC):
    """Data set of videos or images that its lists name; subclasses read the lists.

    Args:
        bad: what becomes of files that cannot be used.
        location: see `LocatedDataset`.
    """

    absent: ClassVar[OnBadFile | None] = None
    """Policy for files that are not there; that of `bad` when None."""

    def __init__(self, bad: OnBadFile = "error", *, location: Path | None = None) -> None:
        super().__init__(location=location)
        self.bad: OnBadFile = bad

    @cached_property
    def folder(self) -> Path:
        """The folder that the paths of the files start from.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when what is published with it is not there.
        """
        return self.location

    def split(self, name: str) -> VideoSplit:
        """Labelled split `name`; the first call decodes every file once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when lists or files are missing, or wrong.
        """
        card = type(self).card
        if name not in card.splits:
            raise unknown("split", name, card.splits)
        try:
            files, classes = self.listed(name)
        except OSError as error:
            what = error.filename or self.folder
            msg = f"{what}: cannot be read ({error.strerror}); check its permissions and the disk"
            raise DataError(msg, reason="unreadable") from error
        return read_split(
            name,
            self.folder,
            files,
            classes,
            dataset=card.name,
            bad=self.bad,
            absent=self.absent,
            multilabel_classes=self.multilabel_classes(),
        )

    def multilabel_classes(self) -> Mapping[str, tuple[str, ...]]:
        """Names of the classes of each multi-label kind; none unless a subclass has some.

        Raises:
            DataError: when lists are missing or wrong.
        """
        return {}

    @abc.abstractmethod
    def listed(self, name: str) -> tuple[Sequence[ListedFile], Mapping[str, tuple[str, ...]]]:
        """Read the files of the split `name` in their order, and the names of the classes.

        Raises:
            DataError: when lists are missing or wrong.
            UsageError: when an option asks for more than there is.
        """
