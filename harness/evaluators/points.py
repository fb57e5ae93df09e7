"""What is clustered: videos, clips of them, or frames."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, cast

import torch

from harness.datasets.derived_splits import Pictures
from harness.errors import UsageError
from harness.evaluators.labelled import Labelled, labelled
from harness.evaluators.part import Part
from harness.video.sample import clip_frames

if TYPE_CHECKING:
    from torch import Tensor

    from harness.features import FrozenEncoder
    from harness.interfaces import Dataset


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
