"""Labelled features of a split, clustering samples and few-shot subsets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from harness.cards import View, WholeVideo
from harness.datasets.split_views import FrameImages, Subset
from harness.errors import DataError, UsageError
from harness.functional.draws import draw_ranks
from harness.interfaces import Features
from harness.store.keys import shown
from harness.values import Encoding
from harness.video.sampling import clip_frames

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Dataset, FrozenEncoder, Split
    from harness.values import Promise


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
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
        """Group of each video."""
        return tuple(video.group for video in self.split.videos)

    @property
    def absent(self) -> tuple[str, ...]:
        """Names of the classes without a video."""
        seen = set(self.labels.tolist())
        return tuple(name for index, name in enumerate(self.classes) if index not in seen)

    @property
    def smallest_class(self) -> tuple[int, str]:
        """Number of videos of the smallest class that is not absent, and its name."""
        counts = self.labels.bincount(minlength=len(self.classes)).tolist()
        return min((count, name) for count, name in zip(counts, self.classes, strict=True) if count)

    def select(self, positions: Tensor) -> LabelledFeatures:
        """Select the videos at `positions` (M,) int64, in that order."""
        where = positions.to(self.vectors.device)
        subset = Subset(self.split, positions.tolist())
        return LabelledFeatures(self.vectors[where], self.labels[where], self.classes, subset)


TRAIN_AND_TEST = (Encoding(split="train"), Encoding(split="test"))
"""Encodings of an evaluator that learns from one split and measures on the other."""


def labelled_features(
    encoder: FrozenEncoder,
    data: Dataset,
    name: str,
    label: str,
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
) -> LabelledFeatures:
    """Encode split `name` of `data`, with the classes of the kind `label`.

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
        sets = f", and sets of classes for `multilabel_probe`: {label}" if label in split.multilabel_classes else ""
        msg = f"{where} has no label {label!r}; it has: {', '.join(split.classes) or 'none'}{sets}"
        raise DataError(msg)
    features = encoder.features(split, encoding)
    vectors, labels, classes = features.vectors, features.labels(label), split.classes[label]
    if int(labels.min()) < 0 or int(labels.max()) >= len(classes):
        msg = f"{where} names {len(classes)} classes of {label!r} but has videos of class {int(labels.max())}"
        raise DataError(msg)
    if len(split) > 1 and _alike(vectors) and not (encoding.tokens and _tokens_differ(features)):
        raise _collapsed(split, where)
    return LabelledFeatures(vectors, labels, classes, split)


class VectorsAndAnswers(NamedTuple):
    """The N videos of a split as vectors, with the answers to be predicted."""

    vectors: Tensor
    """(N, D) float32, one a video."""
    answers: Tensor
    """(N, ...)."""
    split: Split


def vectors_and_answers(
    encoder: FrozenEncoder, data: Dataset, name: str, answers: Callable[[Features], Tensor]
) -> VectorsAndAnswers:
    """Encode split `name` of `data`, with the answers to be predicted.

    Args:
        encoder: frozen.
        data: the data set.
        name: of the split.
        answers: reads those of the N videos of a split, (N, ...).

    Raises:
        DataError: when the split is empty or lacks answers, or when all videos get the same vector.
    """
    split = data.split(name)
    where = f"split {name!r} of data set {data.card.name!r}"
    if not len(split):
        msg = f"{where} has no videos"
        raise DataError(msg)
    answers(Features((), split))  # what is lacking shows before anything is encoded
    features = encoder.features(split, Encoding())
    vectors = features.vectors
    if len(split) > 1 and _alike(vectors):
        raise _collapsed(split, where)
    return VectorsAndAnswers(vectors, answers(features), split)


def _collapsed(split: Split, where: str) -> DataError:
    return DataError(f"the encoder gives all {len(split)} videos of {where} the same vector: it has collapsed")


def _alike(vectors: Tensor) -> bool:
    low, high = vectors.aminmax(dim=0)  # no copy of vectors of many numbers
    apart = torch.maximum(high - vectors[0], vectors[0] - low).max()
    return float(apart) <= 1e-6 * float(torch.maximum(high, -low).max())


def _tokens_differ(features: Features) -> bool:
    """Tell whether tokens differ that have equal means."""
    pairs = ((block[:1], block[video : video + 1]) for block in features.blocks for video in range(1, len(block)))
    return any(not _alike(torch.from_numpy(np.concatenate(pair)).float()) for pair in pairs)


def train_and_test(
    encoder: FrozenEncoder,
    data: Dataset,
    label: str,
    encoding: Encoding = Encoding(),  # noqa: B008 - frozen
) -> tuple[LabelledFeatures, LabelledFeatures]:
    """Encode the training and the test split of a classification protocol.

    A class that is absent from test is allowed; test metrics then speak of the other classes.

    Raises:
        DataError: as in `labelled_features`; when the splits name different classes, when train has one class only,
            or when a class of test is absent from train.
    """
    train, test = (labelled_features(encoder, data, name, label, encoding) for name in ("train", "test"))
    if train.classes != test.classes:
        msg = f"train and test of data set {data.card.name!r} name different classes of {label!r}"
        raise DataError(msg)
    for name in train.absent:
        if name not in test.absent:
            msg = f"class {name!r} of data set {data.card.name!r} has test videos but none in train"
            raise DataError(msg)
    expect_classes(train, data, label)
    return train, test


def expect_classes(features: LabelledFeatures, data: Dataset, label: str) -> None:
    """Expect videos of at least two classes.

    Raises:
        DataError: when there are fewer.
    """
    if len(features.classes) - len(features.absent) < 2:
        msg = (
            f"{features.split.name} of data set {data.card.name!r} has one class of {label!r} only; "
            "there is nothing to tell apart"
        )
        raise DataError(msg)


def split_notes(train: LabelledFeatures, test: LabelledFeatures) -> dict[str, Any]:
    """Describe the splits of an evaluation, for its notes."""
    return {
        "train_videos": len(train),
        "test_videos": len(test),
        "classes_absent_from_test": list(test.absent),
    }


class ClusteringSamples(NamedTuple):
    """N videos, clips or frames to cluster or to map."""

    features: LabelledFeatures
    frames: list[int]
    """Number of a frame that shows each sample, in its video of `features.split`."""
    spans: list[tuple[int, int]]
    """Numbers of the first and the last frame of each sample."""
    videos: Tensor
    """(N,) int64 position of each sample's video in its split, ascending."""


def clustering_samples(
    encoder: FrozenEncoder, data: Dataset, name: str, label: str, *, clips: int | None, stride: int | None
) -> ClusteringSamples:
    """Build the samples to cluster from split `name` of `data`.

    A sample is a video, its vector the mean over the protocol's clips. With `clips`, each of so many clips, spread
    evenly over a video, is a sample; with `stride`, each video's first frame and every `stride`-th after it.

    Raises:
        UsageError: when `stride` is given and the encoder sees clips of several frames.
        DataError: as in `labelled_features`.
    """
    if stride is not None:
        return _frame_samples(encoder, data, name, label, stride)
    if clips is not None:
        return _clip_samples(encoder, data, name, label, clips)
    features = labelled_features(encoder, data, name, label)
    lengths = [video.frames for video in features.split.videos]
    spans = [(0, frames - 1) for frames in lengths]
    return ClusteringSamples(features, [frames // 2 for frames in lengths], spans, torch.arange(len(features)))


def samples_encoding(promise: Promise, name: str, *, clips: int | None, stride: int | None) -> Encoding:
    """Encoding that `clustering_samples` asks for.

    Raises:
        UsageError: when `stride` is given and the encoder sees clips of several frames, or `clips` and it sees whole
            videos.
    """
    view = promise.view
    if clips is not None and isinstance(view, WholeVideo):
        msg = f"clips={clips} makes samples of clips, and the encoder is shown whole videos; leave `clips` out"
        raise UsageError(msg)
    if stride is not None and (isinstance(view, WholeVideo) or view.frames != 1):
        msg = f"stride={stride} makes samples of single frames, and the encoder is shown more at once; give `clips`"
        raise UsageError(msg)
    return Encoding(split=name, clips=clips, frames=stride)


def _clip_samples(encoder: FrozenEncoder, data: Dataset, name: str, label: str, clips: int) -> ClusteringSamples:
    encoding = samples_encoding(encoder.promise, name, clips=clips, stride=None)
    videos, view = labelled_features(encoder, data, name, label, encoding), shown(encoder.promise, encoding)
    assert isinstance(view, View)  # whole videos have no clips, which encoding them has found
    features = encoder.features(videos.split, encoding)
    each = features.per_clip()
    vectors = features.pooled(each.view(len(videos), clips, -1, each.shape[2]), 2)
    owners = torch.arange(len(videos)).repeat_interleave(view.clips)
    shots = torch.cat([clip_frames(video.frames, view) for video in videos.split.videos])
    spans = list(zip(shots.amin(1).tolist(), shots.amax(1).tolist(), strict=True))
    labels = videos.labels.repeat_interleave(view.clips)
    subset = Subset(videos.split, owners.tolist())
    samples = LabelledFeatures(vectors.flatten(0, 1), labels, videos.classes, subset)
    return ClusteringSamples(samples, shots[:, view.frames // 2].tolist(), spans, owners)


def _frame_samples(encoder: FrozenEncoder, data: Dataset, name: str, label: str, stride: int) -> ClusteringSamples:
    encoding = samples_encoding(encoder.promise, name, clips=None, stride=stride)
    images = FrameImages.every(data.split(name), stride)
    features = labelled_features(encoder, _OneSplit(data, images), name, label, encoding)
    count = len(features)
    return ClusteringSamples(features, [0] * count, [(0, 0)] * count, torch.tensor(images.sources))


class _OneSplit:
    """Data set with one split, in place of another's."""

    def __init__(self, data: Dataset, split: Split) -> None:
        self.card = data.card
        self._split = split

    def split(self, name: str) -> Split:
        return self._split


def few_shot_subsets(train: LabelledFeatures, shots: int, draws: int, seed: int, data: str) -> list[LabelledFeatures]:
    """Draw `shots` videos of each class, `draws` times, independently of the encoder.

    Raises:
        DataError: when a class has fewer, naming it and the data set.
    """
    fewest, name = train.smallest_class
    if fewest < shots:
        msg = f"class {name!r} of data set {data!r} has {fewest} training videos, {shots} are to be drawn; lower shots"
        raise DataError(msg)
    ranks = draw_ranks(train.labels, train.groups, draws, seed)
    return [train.select((row < shots).nonzero().flatten()) for row in ranks]
