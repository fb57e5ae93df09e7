"""Features with labels, clustering samples and few-shot subsets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from harness.datasets.split_views import Part, Pictures
from harness.errors import DataError, UsageError
from harness.functional.draws import draw_ranks
from harness.video.sampling import clip_frames

if TYPE_CHECKING:
    from torch import Tensor

    from harness.encoders.frozen import FrozenEncoder
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


class Points(NamedTuple):
    """N points with their classes."""

    labelled: Labelled
    frames: list[int]
    """For each point, the number of a frame of its video that shows it."""
    videos: Tensor
    """(N,) int64 position of the video that each point is of; those of a video stand together."""


def points(
    encoder: FrozenEncoder, data: Dataset, name: str, label: str, *, clips: int | None, stride: int | None
) -> Points:
    """The points of a split.

    A point is a video, its vector the mean over the encoder's own clips. With `clips`, each of so many clips, spread
    evenly over a video, is a point; with `stride`, each video's first frame and every `stride`-th after it. Clips and
    frames have their video's class and group.

    Raises:
        UsageError: when `stride` is given and the encoder sees clips of several frames.
        DataError: as in `labelled`.
    """
    if stride is not None:
        return _frames(encoder, data, name, label, stride)
    if clips is None:
        videos = labelled(encoder, data, name, label)
        shown = [video.frames // 2 for video in videos.split.videos]
        return Points(videos, shown, torch.arange(len(videos)))
    wide = encoder.with_clips(clips)
    videos = labelled(wide, data, name, label)
    vectors = wide.features(videos.split).views.view(len(videos), clips, wide.view.crops, -1).mean(2)
    owners = torch.arange(len(videos)).repeat_interleave(clips)
    frames = [
        int(number)
        for video in videos.split.videos
        for number in clip_frames(video.frames, wide.view)[:, wide.view.frames // 2]
    ]
    labels = videos.labels.repeat_interleave(clips)
    found = Labelled(vectors.flatten(0, 1), labels, videos.classes, Part(videos.split, owners.tolist()))
    return Points(found, frames, owners)


def _frames(encoder: FrozenEncoder, data: Dataset, name: str, label: str, stride: int) -> Points:
    if encoder.view.whole or encoder.view.frames != 1:
        msg = f"stride={stride} makes points of single frames, and the encoder is shown more at once; give `clips`"
        raise UsageError(msg)
    images = _Images(data, stride)
    found = labelled(encoder, cast("Dataset", images), name, label)  # its card is the other's
    assert isinstance(found.split, Pictures)
    return Points(found, [0] * len(found), torch.tensor(found.split.films))


class _Images:
    """A data set whose videos are every `stride`-th frame of another's, each alone."""

    def __init__(self, data: Dataset, stride: int) -> None:
        self._data = data
        self._stride = stride
        self.card = data.card

    def split(self, name: str) -> Pictures:
        return Pictures.every(self._data.split(name), self._stride)


def drawn(train: Labelled, shots: int, draws: int, seed: int, data: str) -> list[Labelled]:
    """`shots` videos of each class of `train`, `draws` times; they depend on the seed and not on the encoder.

    Raises:
        DataError: when a class has fewer, naming it and the data set.
    """
    counts = train.labels.bincount(minlength=len(train.classes)).tolist()
    fewest, name = min((count, name) for count, name in zip(counts, train.classes, strict=True) if count)
    if fewest < shots:
        msg = f"class {name!r} of data set {data!r} has {fewest} training videos, {shots} are to be drawn; lower shots"
        raise DataError(msg)
    found = []
    for ranks in draw_ranks(train.labels, train.groups, draws, seed):
        chosen = (ranks < shots).nonzero().flatten()
        part = Part(train.split, chosen.tolist())
        found.append(Labelled(train.vectors[chosen], train.labels[chosen], train.classes, part))
    return found
