"""FLIC as it is published: pictures from films beside `examples.mat`."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from harness import datasets
from harness.datasets import index, locations
from harness.datasets.entries import Bad, Entry, read_split
from harness.datasets.still_joints import inside, matlab, stored
from harness.errors import DataError, unknown

if TYPE_CHECKING:
    from harness.cards import DatasetCard
    from harness.datasets.split import VideoSplit

EXAMPLES, IMAGES = "examples.mat", "images"
COLUMNS = (16, 0, 3, 1, 4, 2, 5, 6, 9)
"""Where our nine joints are among the 29 of `coords`, counted from 0."""

SIDES = {"train": "istrain", "test": "istest"}


@dataclass(frozen=True, slots=True)
class Example:
    """A person in a picture."""

    id: str
    file: str
    """Below `images/`."""
    movie: str
    sides: frozenset[str]
    joints: NDArray[np.float32]
    """(9, 2) pixels, the centre of the first at 0; NaN for an unknown one."""


class FLIC:
    """5,003 pictures from films with the joints of a person's upper body; there are no labels.

    3,987 are to train on, 1,016 to test on. The same films are on both sides of the published split, so that a group is
    a film on one side. The columns of `coords` give left and right as the person's own; MATLAB counts pixels from 1. A
    joint is visible when it is known and inside of the picture. The published torso boxes are not used: the pose
    protocol takes the box of shoulders and hips.

    Source: Sapp and Taskar, "MODEC: multimodal decomposable models for human pose estimation", 2013.

    On disk: `examples.mat` (a .mat file of version 7 or older) beside `images/`; the place told may be that folder or
    the one that holds it as `FLIC`.

    Args:
        bad: what becomes of pictures that cannot be used.
    """

    card: ClassVar[DatasetCard] = datasets.FLIC

    def __init__(self, bad: Bad = "error") -> None:
        self.bad: Bad = bad

    @cached_property
    def folder(self) -> Path:
        """The folder that holds `examples.mat`.

        Raises:
            UsageError: when nothing says where the data set lies.
            DataError: when it is not there.
        """
        return locations.holding(self.card.name, EXAMPLES, ("", "FLIC"), "unpack FLIC.zip there")

    def split(self, name: str) -> VideoSplit:
        """The split `name`, `train` or `test`; the first call decodes every picture once.

        Raises:
            UsageError: when there is no such split, or nothing says where the data set lies.
            DataError: when annotations or pictures are missing, or wrong.
        """
        if name not in SIDES:
            raise unknown("split", name, SIDES)
        chosen = [example for example in examples(self.folder / EXAMPLES) if name in example.sides]
        paths = [f"{IMAGES}/{example.file}" for example in chosen]
        records = index.records(self.folder, paths, title=f"looking at {self.card.name} {name}")
        sizes = np.array([(records[path].width, records[path].height) for path in paths]).reshape(-1, 2)
        joints = np.array([example.joints for example in chosen], np.float32).reshape(-1, len(COLUMNS), 2)
        files = stored(self.card.name, joints, inside(joints, sizes))
        entries = [
            Entry(path=path, id=example.id, group=f"{name}/{example.movie}", joints=file)
            for example, path, file in zip(chosen, paths, files, strict=True)
        ]
        return read_split(name, self.folder, entries, {}, dataset=self.card.name, bad=self.bad, records=records)


def examples(path: Path) -> list[Example]:
    """What `examples.mat` holds, in its order.

    Raises:
        DataError: when the file is missing or broken, lacks a field, or an example is not what it should be.
    """
    rows = matlab(path, "examples")
    needed = ("coords", "filepath", "moviename", *SIDES.values())
    lacking = [name for name in needed if name not in (rows.dtype.names or ())]
    if lacking:
        msg = f"{path}: its examples have no field {lacking[0]!r}; get the official annotations"
        raise DataError(msg)
    seen: Counter[str] = Counter()
    found = []
    for number, row in enumerate(rows, 1):
        file = row["filepath"] if isinstance(row["filepath"], str) else ""
        seen[file] += 1
        found.append(_example(f"{path}: example {number}", row, file, seen[file]))
    return found


def _example(where: str, row: Any, file: str, person: int) -> Example:
    if file in ("", "..") or PurePosixPath(file).name != file or "\\" in file:
        msg = f"{where} should name a file of {IMAGES}/, it names {file!r}; get the official annotations"
        raise DataError(msg)
    coords = np.asarray(row["coords"])
    if coords.shape != (2, 29) or coords.dtype.kind not in "fiu":
        msg = f"{where} should have coords (2, 29), it has {coords.shape} {coords.dtype}; get the official annotations"
        raise DataError(msg)
    sides = frozenset(side for side, field in SIDES.items() if np.asarray(row[field]).any())
    if len(sides) > 1:
        msg = f"{where} ({file}) is both to train on and to test on; get the official annotations"
        raise DataError(msg)
    joints = coords.T[list(COLUMNS)].astype(np.float32) - 1
    joints[~np.isfinite(joints).all(-1)] = np.nan
    stem = file.rpartition(".")[0] or file
    return Example(stem if person == 1 else f"{stem}-{person}", file, str(row["moviename"]), sides, joints)
