"""PASCAL VOC's people with their actions, of 2010 and 2012."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar
from xml.etree import ElementTree

import torch

from harness.datasets import cards
from harness.datasets.listed_files import ListedFile, OnBadFile
from harness.datasets.located import ListedDataset
from harness.errors import DataError, UsageError
from harness.functional.draws import draw_ranks
from harness.system.presence import status
from harness.values import Box

if TYPE_CHECKING:
    from harness.cards import DatasetCard

ACTIONS_2010 = (
    *("phoning", "playinginstrument", "reading", "ridingbike", "ridinghorse"),
    *("running", "takingphoto", "usingcomputer", "walking"),
)
ACTIONS_2012 = ("jumping", *ACTIONS_2010)

LISTS = Path("ImageSets", "Action")
SIDES = {"train": "train", "test": "val"}
"""Published list of each split; labels of VOC's own test images never were."""

XML_BYTES = 2**20
"""No annotation of an image is larger."""

_LINE = re.compile(r"(?P<image>\w+)\s+(?P<object>[1-9]\d*)\s+(?P<flag>-1|0|1)")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone doing one of the actions."""

    image: str
    """Name without suffix."""
    object: int
    """Position among the objects of the image's annotation, from 1."""
    action: int


class VOCAction2010(ListedDataset):
    """People in photographs who do one of 9 actions, each cut out by the box.

    A person is a picture of its own; its image is its group. Someone who does several of the actions, or none of them
    (`other`), is left out. Both draws are nested over their numbers and the same for every method; the five people of a
    class come from five images where it has so many.

    Source: Everingham et al., "The PASCAL visual object classes (VOC) challenge", 2010; the few training images as in
    Jayaraman and Grauman, "Slow and steady feature analysis", 2016.

    On disk: `VOCdevkit/VOC2010/{JPEGImages,Annotations,ImageSets/Action}`; the place told may be `VOC2010`, `VOCdevkit`
    or the folder that holds it.

    Args:
        images_per_class: people of each class to train on, drawn from the list `train`; None takes all.
        test_images: people to test on, drawn from the list `val`; None takes all.
        draw: the seed of both draws.
        bad: what becomes of images that cannot be used.
        location: see `LocatedDataset`.

    Raises:
        UsageError: when a number is not positive, or `draw` negative.
    """

    card: ClassVar[DatasetCard] = cards.VOC_ACTION2010
    year: ClassVar[int] = 2010
    actions: ClassVar[tuple[str, ...]] = ACTIONS_2010

    def __init__(
        self,
        images_per_class: int | None = 5,
        test_images: int | None = None,
        draw: int = 0,
        bad: OnBadFile = "error",
        *,
        location: Path | None = None,
    ) -> None:
        super().__init__(bad, location=location)
        for option, number, least in (
            ("images_per_class", images_per_class, 1),
            ("test_images", test_images, 1),
            ("draw", draw, 0),
        ):
            if number is not None and number < least:
                msg = f"data set {self.card.name!r}: {option} must be at least {least}, got {number}"
                raise UsageError(msg)
        self.images_per_class = images_per_class
        self.test_images = test_images
        self.draw = draw

    @cached_property
    def folder(self) -> Path:
        """The folder of the year.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when the lists of the year are not there.
        """
        year = f"VOC{self.year}"
        remedy = "unpack the training/validation data of that year there"
        folder = self.holding(f"{LISTS.as_posix()}/", ("", year, f"VOCdevkit/{year}"), remedy)
        if self.year == 2010 and status(folder / LISTS / "jumping_train.txt") is not None:
            msg = f"{folder}: has the action 'jumping', so it is not VOC2010; say where VOC2010 lies"
            raise DataError(msg)
        return folder

    def listed(self, name: str) -> tuple[list[ListedFile], dict[str, tuple[str, ...]]]:
        """Read the people in the lists of the split, draw some, and read their boxes.

        Raises:
            UsageError: when more people are asked for than there are.
            DataError: when lists or annotations are missing, or wrong.
        """
        sides = {side: read_people(self.folder, SIDES[side], self.actions) for side in SIDES}
        train, test = ({person.image for person in people} for people in sides.values())
        if train & test:
            msg = f"{self.folder / LISTS}: image {min(train & test)!r} is in train and in val; get the official lists"
            raise DataError(msg)
        people = self._few(sides[name]) if name == "train" else self._drawn(sides[name])
        return [_listed_file(self.folder, person) for person in people], {"action": self.actions}

    def _few(self, people: Sequence[Person]) -> list[Person]:
        """Draw as many people of each class."""
        if self.images_per_class is None or not people:
            return list(people)
        labels = torch.tensor([person.action for person in people])
        counts = torch.bincount(labels, minlength=len(self.actions)).tolist()
        for action, count in zip(self.actions, counts, strict=True):
            if count < self.images_per_class:
                raise self._too_many(f"people of class {action!r} in train", "images_per_class", count)
        ranks = draw_ranks(labels, [person.image for person in people], 1, self.draw)[0].tolist()
        return [person for person, rank in zip(people, ranks, strict=True) if rank < self.images_per_class]

    def _drawn(self, people: Sequence[Person]) -> list[Person]:
        if self.test_images is None or not people:
            return list(people)
        if len(people) < self.test_images:
            raise self._too_many("people in val", "test_images", len(people))
        ranks = draw_ranks(torch.zeros(len(people)), [""] * len(people), 1, self.draw)[0].tolist()
        return [person for person, rank in zip(people, ranks, strict=True) if rank < self.test_images]

    def _too_many(self, what: str, option: str, count: int) -> UsageError:
        wanted = getattr(self, option)
        msg = f"data set {self.card.name!r}: {wanted} {what} were asked for, there are {count}; lower {option}"
        return UsageError(f"{msg}, or take all with `{option}: null`")


class VOCAction2012(VOCAction2010):
    """People in photographs who do one of 10 actions: `VOCAction2010` with jumping.

    Source: Everingham et al., "The PASCAL visual object classes challenge: a retrospective", 2015; few training images
    and a part of `val` as in Purushwalkam and Gupta's and others' experiments.

    Args:
        images_per_class: people of each class to train on, drawn from the list `train`; None takes all.
        test_images: people to test on, drawn from the list `val`; None takes all.
        draw: the seed of both draws.
        bad: what becomes of images that cannot be used.
        location: see `LocatedDataset`.
    """

    card: ClassVar[DatasetCard] = cards.VOC_ACTION2012
    year: ClassVar[int] = 2012
    actions: ClassVar[tuple[str, ...]] = ACTIONS_2012

    def __init__(
        self,
        images_per_class: int | None = 5,
        test_images: int | None = 2000,
        draw: int = 0,
        bad: OnBadFile = "error",
        *,
        location: Path | None = None,
    ) -> None:
        super().__init__(images_per_class, test_images, draw, bad, location=location)


def read_people(folder: Path, side: str, actions: Sequence[str]) -> list[Person]:
    """Read who does exactly one of `actions` by the lists `<action>_<side>.txt`.

    A line is `<image> <object> <flag>`: 1 does it, -1 does not, and someone with a 0 (not sure) is left out.

    Raises:
        DataError: when a list is missing, has another kind of line, names a person twice, or other people than the
            first list.
    """
    flags: dict[tuple[str, int], list[str]] = {}
    for number, action in enumerate(actions):
        path = folder / LISTS / f"{action}_{side}.txt"
        seen: set[tuple[str, int]] = set()
        for row, line in enumerate(_text(path).splitlines(), 1):
            if not line.strip():
                continue
            match = _LINE.fullmatch(line.strip())
            if match is None:
                msg = f"{path}, line {row}: {line!r} should be '<image> <object> <1 or -1>'; get the official lists"
                raise DataError(msg)
            key = match["image"], int(match["object"])
            if key in seen or (number and key not in flags):
                what = "twice" if key in seen else f"but not in the list of {actions[0]!r}"
                msg = f"{path}, line {row}: object {key[1]} of image {key[0]!r} is named {what}; get the official lists"
                raise DataError(msg)
            seen.add(key)
            flags.setdefault(key, []).append(match["flag"])
        if len(seen) < len(flags):
            image, position = min(flags.keys() - seen)
            msg = f"{path}: lacks object {position} of image {image!r}, which the list of {actions[0]!r} names"
            raise DataError(f"{msg}; get the official lists")
    return [
        Person(image, position, known.index("1"))
        for (image, position), known in flags.items()
        if known.count("1") == 1 and "0" not in known
    ]


def person_box(path: Path, position: int) -> Box:
    """Read the box of object `position` (from 1) of an annotation, a person.

    VOC counts pixels from 1 and the last one belongs to the box; fractions are rounded to the nearest pixel.

    Raises:
        DataError: when the file is missing, too large, no XML, declares a document type or entities, or has no such
            person or no such box.
    """
    text = _text(path, limit=XML_BYTES)
    if "<!DOCTYPE" in text or "<!ENTITY" in text:  # entities may expand to gigabytes
        msg = f"{path}: declares a document type or entities, which no annotation of VOC does; get the official file"
        raise DataError(msg)
    if "\0" in text:  # the parser would take it for UTF-16, in which the check above finds nothing
        msg = f"{path}: is no XML in UTF-8; get the official annotations"
        raise DataError(msg)
    try:
        objects = ElementTree.fromstring(text).findall("object")  # noqa: S314 - no entities, and of a limited size
        person = objects[position - 1]
    except ElementTree.ParseError as error:
        msg = f"{path}: is no XML ({error}); get the official annotations"
        raise DataError(msg) from error
    except IndexError as error:
        msg = f"{path}: has {len(objects)} objects, but the lists name number {position}; get the official annotations"
        raise DataError(msg) from error
    if person.findtext("name") != "person":
        msg = f"{path}: object {position} is {person.findtext('name')!r}, not a person; get the official annotations"
        raise DataError(msg)
    try:
        ends = [float(person.findtext(f"bndbox/{end}", "")) for end in ("xmin", "ymin", "xmax", "ymax")]
        left, top, right, bottom = (round(end) for end in ends)
        return Box(left - 1, top - 1, right, bottom)
    except (ValueError, OverflowError) as error:
        msg = f"{path}: object {position} has no box of whole pixels ({error}); get the official annotations"
        raise DataError(msg) from error


def _listed_file(folder: Path, person: Person) -> ListedFile:
    return ListedFile(
        path=f"JPEGImages/{person.image}.jpg",
        id=f"{person.image}_{person.object}",
        labels={"action": person.action},
        group=person.image,
        box=person_box(folder / "Annotations" / f"{person.image}.xml", person.object),
    )


def _text(path: Path, limit: int | None = None) -> str:
    """Read the file as UTF-8: the encoding it declares could hide what is refused."""
    try:
        if limit is not None and path.stat().st_size > limit:
            msg = f"{path}: has more than {limit} bytes, so it is no annotation of VOC; get the official file"
            raise DataError(msg)
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: cannot be read ({error}); get the official devkit"
        raise DataError(msg) from error
