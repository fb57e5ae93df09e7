"""`shards`: videos in tar archives, as WebDataset packs them, to learn from."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, ClassVar

from harness.datasets import cards
from harness.datasets.listed_files import ListedFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError
from harness.system.presence import is_file
from harness.video.archive import Member, members

if TYPE_CHECKING:
    from harness.cards import DatasetCard

SUFFIXES = ("mp4", "avi", "webm", "mkv", "jpg", "png")
"""Suffixes of the members that are read, the first first where keys are equal."""

UNLABELLED = "unlabelled"
"""Name of the one class of shards that do not give every video a class."""

LONGEST = 20
"""Bytes of a class at most."""

_STRANGE = re.compile(r"[\x00-\x1f\x7f\\\ud800-\udfff]")
_NUMBER = re.compile(rb"\s*(\d{1,18})\s*")


class Shards(ListedDataset):
    """Videos or images in a folder of tar archives, read in place, to learn from.

    There is no split to test on.

    Expected: `<folder>/*.tar`, uncompressed, with members `<key>.mp4` (or `.avi`, `.webm`, `.mkv`, `.jpg`, `.png`).
    Where every one has a `<key>.cls`, a whole number in text, the label `action` is that number, its classes in the
    order of the numbers; else there is one class, `unlabelled`. Other members (`<key>.json`, ...), links, devices,
    folders and hidden files are not looked at. Nothing is unpacked.

    Archives are taken in the order of their names, members in that of the archive; a video's id is
    `<archive>.tar/<key>`.
    """

    card: ClassVar[DatasetCard] = cards.SHARDS

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the names of the members of every archive, and the classes.

        Raises:
            DataError: when there are no archives, one is broken or compressed, a member's name leads out of its
                archive, is there twice or is no text, or a class is no number.
        """
        folder = self.folder
        archives = sorted(path for path in folder.glob("*.tar") if is_file(path) and not path.name.startswith("."))
        if not archives:
            msg = f"{folder}: no *.tar in this folder; correct the path with `harness dataset add {self.card.name}`"
            raise DataError(msg)
        paths: dict[str, Member | None] = {}
        for archive in archives:
            paths |= {f"{archive.name}/{path}": label for path, label in _samples(archive).items()}
        classes, labels = _labels(folder, paths)
        files = [ListedFile(path=path, labels={"action": label}) for path, label in zip(paths, labels, strict=True)]
        return files, {"action": classes}


def _samples(archive: Path) -> dict[str, Member | None]:
    """List the videos of an archive in its order, each with its class's member."""
    inside = members(archive)
    suffixes: dict[str, str] = {}
    for name in inside:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or _STRANGE.search(name):
            msg = f"{archive}: member {name!r}: a name that leads out of it, or is no plain text; pack it anew"
            raise DataError(msg)
        key, _, suffix = name.rpartition(".")
        if suffix in SUFFIXES and not path.name.startswith("."):
            other = suffixes.setdefault(key, suffix)
            suffixes[key] = min(suffix, other, key=SUFFIXES.index)
    return {f"{key}.{suffix}": inside.get(f"{key}.cls") for key, suffix in suffixes.items()}


def _labels(folder: Path, paths: dict[str, Member | None]) -> tuple[tuple[str, ...], list[int]]:
    """Read the names of the classes, and the class of each video."""
    numbers = []
    for path, member in paths.items():
        if member is None:
            return (UNLABELLED,), [0] * len(paths)
        with member.archive.open("rb") as file:
            file.seek(member.start)
            text = file.read(min(member.size, LONGEST + 1))
        match = _NUMBER.fullmatch(text)
        if match is None or member.size > LONGEST:
            msg = f"{folder / path}: its .cls should be a whole number from 0 in text, it is {text!r}; pack it anew"
            raise DataError(msg)
        numbers.append(int(match[1]))
    names = sorted(set(numbers))
    position = {number: index for index, number in enumerate(names)}
    return tuple(map(str, names)), [position[number] for number in numbers]
