"""All videos of a split as one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from harness.datasets.split_views import SplitView
from harness.errors import DataError
from harness.system.hashing import digest
from harness.video.anonymous import content_name
from harness.video.decode import resized

if TYPE_CHECKING:
    from torch import Tensor

    from harness.interfaces import Split
    from harness.values import Video


class ConcatenatedSplit(SplitView):
    """All videos of a split, one after the other, as one; it has no labels.

    They follow each other in the order that hides labels, which is random. Frames of another size are brought to that
    of the first video.

    Source: Redondo-Cabrera and Lopez-Sastre, "Unsupervised learning from videos using temporal coherency deep
    networks", 2018, where it is called "more unsupervised".

    Args:
        split: the videos.
    """

    def __init__(self, split: Split) -> None:
        super().__init__(split.unlabelled())
        self._labelled = split.labelled
        self._left_out = split.left_out
        self._ends = np.cumsum([video.frames for video in self._split.videos])

    @property
    def left_out(self) -> Mapping[str, str]:
        """Reason for each listed video that is not among the joined ones."""
        return self._left_out

    def origins(self, index: int) -> Sequence[tuple[Split, int]]:
        """Find the videos that are joined: their split, and their positions there."""
        return [(self._split, place) for place in range(len(self._split))]

    @property
    def labelled(self) -> bool:
        """True if the split that was joined had labels."""
        return self._labelled

    @cached_property
    def videos(self) -> Sequence[Video]:
        """The one video."""
        first = self._split.videos[0]
        content = digest({"of": [content_name(video) for video in self._split.videos]})
        return (dataclasses.replace(first, id="joined", content=content, frames=int(self._ends[-1])),)

    @cached_property
    def manifest(self) -> str:
        """Hash of the videos."""
        return digest({"joined": self._split.manifest, "labelled": self.labelled})

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames (T, H, W, C) uint8 RGB, counted over all videos.

        Raises:
            DataError: when a video does not decode.
            IndexError: when a frame is not one of those there are.
        """
        video = self.videos[index]
        width, height = resized(video.width, video.height, short_side)
        wanted = range(video.frames) if frames is None else frames
        clip = torch.empty((len(wanted), height, width, 3), dtype=torch.uint8)
        for places, part, numbers in self._located(video, wanted):
            clip[places] = _sized(self._split.read(part, numbers, short_side=short_side), height, width)
        return clip

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read flow (T, 2, H, W) from frames that are counted over all videos.

        Raises:
            DataError: when a video does not decode, has another size than the first, or a frame is its last.
            IndexError: when a frame is not one of those there are.
        """
        video = self.videos[index]
        width, height = resized(video.width, video.height, short_side)
        clip = torch.empty((len(frames), 2, height, width))
        for places, part, numbers in self._located(video, frames):
            moved = self._split.flow(part, numbers, short_side=short_side, device=device)
            if moved.shape[2:] != (height, width):
                size = tuple(moved.shape[2:])
                msg = (
                    f"video {part} of the joined ones: expected flow of {(height, width)}, got {size}; its size differs"
                )
                raise DataError(msg)
            clip[places] = moved
        return clip

    def _located(self, video: Video, frames: Sequence[int]) -> Iterator[tuple[Tensor, int, list[int]]]:
        """Locate frames: places among `frames`, their video's position, numbers in it."""
        wanted = np.asarray(frames, dtype=np.int64)
        if len(wanted) and not 0 <= np.min(wanted) <= np.max(wanted) < video.frames:
            msg = (
                f"video {video.id!r} has frames 0 to {video.frames - 1}, asked for {np.min(wanted)} to {np.max(wanted)}"
            )
            raise IndexError(msg)
        parts = np.searchsorted(self._ends, wanted, side="right")
        for part in np.unique(parts):
            places = np.flatnonzero(parts == part)
            before = self._ends[part] - self._split.videos[part].frames
            yield torch.from_numpy(places), int(part), (wanted[places] - before).tolist()

    def unlabelled(self) -> ConcatenatedSplit:
        """Mark the joined video as made of unlabelled videos."""
        return ConcatenatedSplit(self._split)


def _sized(frames: Tensor, height: int, width: int) -> Tensor:
    if frames.shape[1:3] == (height, width):
        return frames
    return torch.from_numpy(
        np.stack([cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA) for frame in frames.numpy()])
    )
