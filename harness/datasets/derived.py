"""Options of every data set: fewer videos, one long video, images, further labels."""

from __future__ import annotations

import csv
import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import numpy as np
import pydantic

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.file_names import plain
from harness.datasets.split_views import FrameImages, Limited, Relabelled, Subset
from harness.errors import DataError, UsageError
from harness.interfaces import Dataset, Prepared, Split
from harness.system import paths

if TYPE_CHECKING:
    from harness.cards import DatasetCard

Count = Annotated[int, pydantic.Field(gt=0)]


class Derivation(pydantic.BaseModel):
    """Options that every data set has beside its own."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)

    subset: Count | None = None
    """Number of videos of `train`; a larger subset contains the smaller ones."""
    subset_seed: Annotated[int, pydantic.Field(ge=0)] = 0
    """Seed of the draw of the subset."""
    limit: Count | None = None
    """Number of videos of each split, to try things out.

    They are spread over the classes, of a subset where there is one; rows on them are never ranked.
    """
    images: Count | None = None
    """Number of frames of each video, each as an image of its own."""
    joined: bool = False
    """All videos of `train` as one, in random order and without labels."""
    labels: Mapping[str, str] | None = None
    """CSV file of each further kind of label (`scene`).

    Its columns are `video` (an id) or `class`, and `label`.
    """


def derive(dataset: Dataset, derivation: Derivation) -> Dataset:
    """Apply the options to `dataset`."""
    if derivation == Derivation():
        return dataset
    return cast("Dataset", Derived(dataset, derivation))  # its card is the other's


class Derived:
    """Data set with derived splits."""

    def __init__(self, dataset: Dataset, derivation: Derivation) -> None:
        self._dataset = dataset
        self._derivation = derivation

    @property
    def card(self) -> DatasetCard:
        """Card of the data set that it derives from, with the further kinds of labels."""
        card = self._dataset.card
        return dataclasses.replace(card, labels=tuple(dict.fromkeys((*card.labels, *(self._derivation.labels or ())))))

    @property
    def ready(self) -> bool:
        """The files of the data set that it derives from are there."""
        return self._dataset.ready if isinstance(self._dataset, Prepared) else True

    def split(self, name: str) -> Split:
        """Derive the split `name`.

        Raises:
            UsageError: when there is no such split, or fewer videos than the subset should have.
            DataError: when files are missing or corrupt, or a video has no label in the file of labels.
        """
        split, wanted = self._dataset.split(name), self._derivation
        if wanted.labels:
            split = _relabelled(split, wanted.labels)
        if name == "train" and wanted.subset is not None:
            split = _subset(split, wanted.subset, wanted.subset_seed)
        if wanted.limit is not None and wanted.limit < len(split):
            split = _limited(split, wanted.limit)
        if wanted.images is not None:
            split = FrameImages.evenly(split, wanted.images)
        if name == "train" and wanted.joined:
            split = ConcatenatedSplit(split)
        return split


def _subset(split: Split, count: int, seed: int) -> Subset:
    if count > len(split):
        msg = f"subset={count}: split {split.name!r} has {len(split)} videos; ask for fewer"
        raise UsageError(msg)
    chosen = np.random.default_rng(seed).permutation(len(split))[:count]
    return Subset(split, sorted(chosen.tolist()))


def _limited(split: Split, count: int) -> Limited:
    """Take videos of all classes in turn, so that each split has the same classes.

    Where videos have sets of classes alone, each counts for the first of its own.
    """
    kind = next(iter(split.classes), None)
    sets = next(iter(split.multilabel_classes), None)
    seen: Counter[int] = Counter()
    turns = []
    for position, video in enumerate(split.videos):
        label = 0
        if kind is not None:
            label = video.labels[kind]
        elif sets is not None:
            label = next(iter(video.multilabels[sets]), -1)
        turns.append((seen[label], label, position))
        seen[label] += 1
    return Limited(split, sorted(position for *_, position in sorted(turns)[:count]))


def _relabelled(split: Split, files: Mapping[str, str]) -> Relabelled:
    labels, classes = {}, {}
    for kind, name in files.items():
        path = paths.expanded(Path(name))
        column, rows = _table(path)
        names = tuple(sorted(set(rows.values())))
        if column == "class" and not split.classes:
            msg = f"{path}: labels by class need videos of one class each; write `video,label` in the first line"
            raise DataError(msg)
        key = _key(split, column)
        try:
            labels[kind] = {video.id: names.index(rows[key(index)]) for index, video in enumerate(split.videos)}
        except KeyError as error:
            msg = f"{path}: has no row for {column} {error.args[0]!r} of split {split.name!r}"
            raise DataError(msg) from None
        classes[kind] = names
    return Relabelled(split, labels, classes)


def _key(split: Split, column: str) -> Callable[[int], str]:
    if column == "video":
        return lambda index: split.videos[index].id
    kind, names = next(iter(split.classes.items()))
    return lambda index: names[split.videos[index].labels[kind]]


def _table(path: Path) -> tuple[str, dict[str, str]]:
    """Read a file of labels: its first column (`video` or `class`), and labels by it."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [[plain(cell) for cell in row] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: the file of labels cannot be read ({error}); correct the path"
        raise DataError(msg) from error
    if not rows or rows[0] not in (["video", "label"], ["class", "label"]):
        first = rows[0] if rows else []
        msg = f"{path}: the first line should be `video,label` or `class,label`, without spaces; its cells are {first}"
        raise DataError(msg)
    labels: dict[str, str] = {}
    for number, row in enumerate(rows[1:], start=2):
        if len(row) != 2 or not all(row) or [cell.strip() for cell in row] != row or row[0] in labels:
            msg = (
                f"{path}: line {number} should be a {rows[0][0]} that was not named before, and its label, without "
                f"spaces around them; its cells are {row}"
            )
            raise DataError(msg)
        labels[row[0]] = row[1]
    return rows[0][0], labels
