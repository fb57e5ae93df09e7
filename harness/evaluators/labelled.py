"""A split's features with the labels an evaluator asks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.errors import DataError

if TYPE_CHECKING:
    from torch import Tensor

    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset, Split


@dataclass(frozen=True, slots=True)
class Labelled:
    """The videos of a split as vectors with classes."""

    vectors: Tensor
    """(N, D) float32, one a video."""
    labels: Tensor
    """(N,) int64 indices into `classes`."""
    classes: tuple[str, ...]
    split: Split

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def groups(self) -> tuple[str, ...]:
        """The group of each video."""
        return tuple(video.group for video in self.split.videos)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the classes that no video has."""
        seen = set(self.labels.tolist())
        return tuple(name for index, name in enumerate(self.classes) if index not in seen)


def labelled(encoder: FrozenEncoder, data: Dataset, name: str, label: str) -> Labelled:
    """Split `name` of `data`, encoded, with the classes of the kind `label`.

    Raises:
        DataError: when the split is empty, has no such label, a class index without a name, or a vector that is
            NaN or infinite, or when all videos get the same vector.
    """
    split = data.split(name)
    where = f"split {name!r} of data set {data.card.name!r}"
    if not len(split):
        msg = f"{where} has no videos"
        raise DataError(msg)
    if label not in split.classes:
        msg = f"{where} has no label {label!r}; it has: {', '.join(split.classes) or 'none'}"
        raise DataError(msg)
    features = encoder.features(split)
    vectors, labels, classes = features.vectors, features.labels(label), split.classes[label]
    if int(labels.min()) < 0 or int(labels.max()) >= len(classes):
        msg = f"{where} names {len(classes)} classes of {label!r} but has videos of class {int(labels.max())}"
        raise DataError(msg)
    if len(split) > 1 and float((vectors - vectors[0]).abs().max()) <= 1e-6 * float(vectors.abs().max()):
        msg = f"the encoder gives all {len(split)} videos of {where} the same vector: it has collapsed"
        raise DataError(msg)
    return Labelled(vectors, labels, classes, split)


def train_and_test(encoder: FrozenEncoder, data: Dataset, label: str) -> tuple[Labelled, Labelled]:
    """Both splits of `data` for a protocol that learns classes on one and predicts them on the other.

    A class that is absent from test is allowed; test metrics then speak of the other classes.

    Raises:
        DataError: as in `labelled`; when the splits name different classes, when train has one class only, or when
            a class of test is absent from train.
    """
    train, test = (labelled(encoder, data, name, label) for name in ("train", "test"))
    if train.classes != test.classes:
        msg = f"train and test of data set {data.card.name!r} name different classes of {label!r}"
        raise DataError(msg)
    for name in train.absent:
        if name not in test.absent:
            msg = f"class {name!r} of data set {data.card.name!r} has test videos but none in train"
            raise DataError(msg)
    if len(train.classes) - len(train.absent) < 2:
        msg = f"train of data set {data.card.name!r} has one class of {label!r} only; there is nothing to tell apart"
        raise DataError(msg)
    return train, test
