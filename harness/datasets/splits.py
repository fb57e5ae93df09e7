"""Splits of files and of arrays."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.errors import DataError
from harness.values import Box, Video
from harness.video import frame_cache
from harness.video.anonymous import HiddenFiles, anonymous, hidden_order
from harness.video.decode import decode, resized
from harness.video.flow import displacement
from harness.video.flow_cache import FlowCache
from harness.video.segment import Segment
from harness.video.transforms import crop_box


@dataclass(frozen=True)
class VideoSplit:
    """Video files, or segments of such, with their records.

    Args:
        name: `train` or `test`.
        videos: in a fixed order.
        classes: for each kind of label, the names of its classes.
        labelled: whether `videos` carry labels.
        left_out: for the path of each video that the lists name and the split lacks, the reason; with its id
            behind where a file has several.
        _files: to decode, where the paths of `videos` are opaque.
        _segments: by position of the videos that are parts of their files.
        multilabel_classes: for each multi-label kind, the names of its classes.
    """

    name: str
    videos: Sequence[Video]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labelled: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    _files: HiddenFiles | None = field(default=None, repr=False)
    _segments: Mapping[int, Segment] = field(default_factory=dict, repr=False)
    multilabel_classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of every video's content, frames and order.

        In a labelled split of ids, labels, targets, groups and joints too.

        Raises:
            DataError: when a file of joints is missing.
        """
        sha = hashlib.sha256()
        for video in self.videos:
            record: list[Any] = [video.content, video.frames, video.fps]
            if video.box is not None:
                record.append(dataclasses.astuple(video.box))
            if self.labelled:
                record += [video.id, video.group, sorted(video.labels.items()), _joints(video), *_further(video)]
            sha.update(json.dumps(record).encode())
        if self.labelled:
            sha.update(json.dumps(sorted(self.classes.items())).encode())
            if self.multilabel_classes:
                sha.update(json.dumps({"multilabels": sorted(self.multilabel_classes.items())}).encode())
        return sha.hexdigest()[:20]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read frames of a video, see `harness.interfaces.Split.read`.

        A split that fits into the frame cache is decoded once; of another, and of a segment, only the wanted frames.

        Raises:
            DataError: when the file is missing or does not decode to the frames its record promises.
            IndexError: when a wanted frame is not one of those the record promises.
        """
        video, path = self.videos[index], self._path(index)
        if frames is not None and len(frames) and not 0 <= min(frames) <= max(frames) < video.frames:
            msg = f"video {video.id!r} has frames 0 to {video.frames - 1}, asked for {min(frames)} to {max(frames)}"
            raise IndexError(msg)
        segment, total = self._segment(index), video.frames
        if segment is not None:
            frames = segment.frames(range(total) if frames is None else frames)
            total = segment.total
        if video.box is not None:
            whole = torch.from_numpy(decode(path, frames, total=total))
            return crop_box(whole if frames is not None else _complete(whole, video, path), video.box, short_side)
        if segment is not None or self._bytes(short_side) > frame_cache.shared.limit:
            clip = torch.from_numpy(decode(path, frames, short_side=short_side, total=total))
            return clip if frames is not None else _complete(clip, video, path)
        whole = _complete(frame_cache.shared.video(path, short_side, video.frames), video, path)
        return whole.clone() if frames is None else torch.from_numpy(whole.numpy()[np.asarray(frames, np.int64)])

    def file_content(self, index: int) -> str:
        """Hash of the file that a video of a labelled split is, or is part of.

        Raises:
            ValueError: for an unlabelled split, where it would tell the parts of one file.
        """
        if not self.labelled:
            msg = "an unlabelled split does not tell the files of its videos"
            raise ValueError(msg)
        segment = self._segments.get(index)
        return self.videos[index].content if segment is None else segment.content

    def _segment(self, index: int) -> Segment | None:
        return self._segments.get(index) if self._files is None else self._files.segment(index)

    def _path(self, index: int) -> Path:
        return self.videos[index].path if self._files is None else self._files.locate(index)

    def _bytes(self, short_side: int | None) -> int:
        if short_side not in self._sizes:
            sizes = [(video.frames, *resized(video.width, video.height, short_side)) for video in self.videos]
            self._sizes[short_side] = sum(3 * frames * width * height for frames, width, height in sizes)
        return self._sizes[short_side]

    @cached_property
    def _sizes(self) -> dict[int | None, int]:
        return {}

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Read optical flow of a video, see `harness.interfaces.Split.flow`.

        Raises:
            DataError: when the video has one frame or does not decode, a frame is its last, or only a part of the
                picture counts.
            IndexError: when a frame is none of a segment, or its last.
        """
        video, path = self.videos[index], self._path(index)
        if video.frames == 1:
            raise no_flow(video)
        if video.box is not None:
            msg = f"{path}: flow of a part of the picture is not computed; take whole pictures"
            raise DataError(msg)
        if (segment := self._segment(index)) is not None:
            if len(frames) and not 0 <= min(frames) <= max(frames) < video.frames - 1:
                wanted = f"asked for {min(frames)} to {max(frames)}"
                msg = f"flow of video {video.id!r} is of frames 0 to {video.frames - 2}, {wanted}"
                raise IndexError(msg)
            frames = segment.frames(frames)
        return displacement(FlowCache("tvl1", short_side, device).read(path, frames))

    def unlabelled(self) -> VideoSplit:
        """Hide labels, groups, joints, names, files and order."""
        if not self.labelled:
            return self
        order = hidden_order(self.videos)
        videos = anonymous([self.videos[position] for position in order])
        segments = [self._segments.get(position) for position in order]
        files = HiddenFiles([self._path(position) for position in order], segments)
        return VideoSplit(self.name, videos, labelled=False, _files=files)


def no_flow(video: Video) -> DataError:
    """Error for flow of an image."""
    return DataError(f"image {video.id!r} has one frame, but flow needs two; take a data set of videos")


def _complete(frames: Tensor, video: Video, path: Path) -> Tensor:
    if len(frames) != video.frames:
        msg = f"{path}: {video.frames} frames were promised, {len(frames)} decode; fetch or draw the file again"
        raise DataError(msg)
    return frames


def _further(video: Video) -> list[dict[str, Any]]:
    """Sets of classes and targets of a video for a hash; empty where it has none.

    So data without any have the hashes that they had before videos could have some.
    """
    further = {
        "multilabels": sorted((kind, list(classes)) for kind, classes in video.multilabels.items()),
        "targets": sorted(video.targets.items()),
    }
    return [further] if any(further.values()) else []


def _joints(video: Video) -> str:
    if video.joints is None:
        return ""
    try:
        return hashlib.sha256(video.joints.read_bytes()).hexdigest()
    except OSError as error:
        msg = f"{video.joints}: the joints of video {video.id!r} cannot be read; fetch or draw the data set again"
        raise DataError(msg) from error


@dataclass(frozen=True)
class ArraySplit:
    """Images of one size in memory, each a video of one frame.

    Args:
        name: `train` or `test`.
        videos: in the order of `images`; a path is the file whose array holds the image.
        images: (N, H, W, 3) uint8 RGB.
        classes: for each kind of label, the names of its classes.
        labelled: whether `videos` carry labels.
        left_out: empty: arrays are read whole or not at all.
        multilabel_classes: for each multi-label kind, the names of its classes.

    Raises:
        ValueError: when there is not one image for each video, or they are not of that shape and type.
    """

    name: str
    videos: Sequence[Video]
    images: NDArray[np.uint8]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labelled: bool = True
    left_out: Mapping[str, str] = field(default_factory=dict)
    multilabel_classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or shape[3] != 3 or len(self.videos) != shape[0] or self.images.dtype != np.uint8:
            msg = f"{len(self.videos)} videos need images ({len(self.videos)}, H, W, 3) uint8, got {shape}"
            raise ValueError(f"{msg} {self.images.dtype}")

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of all pixels, and in a labelled split of ids, labels, targets and groups."""
        sha = hashlib.sha256(str(self.images.shape).encode())
        sha.update(np.ascontiguousarray(self.images).data)
        if self.labelled:
            rows = [[video.id, video.group, sorted(video.labels.items()), *_further(video)] for video in self.videos]
            of_sets = [sorted(self.multilabel_classes.items())] if self.multilabel_classes else []
            sha.update(json.dumps([rows, sorted(self.classes.items()), *of_sets]).encode())
        return sha.hexdigest()[:20]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Read image `index` as (T, H, W, C) uint8 RGB.

        Resizing takes the mean of the pixels covered; bilinear when enlarging.

        Args:
            index: position in `videos`.
            frames: zeros, as many as the image is wanted times; once when None.
            short_side: pixels; the image's own size when None.

        Raises:
            IndexError: when another frame than the first is wanted.
        """
        wanted = [0] if frames is None else list(frames)
        if any(wanted):
            msg = f"image {self.videos[index].id!r} has frame 0 only, asked for {wanted}"
            raise IndexError(msg)
        image = self.images[index][None]
        whole = Box(0, 0, image.shape[2], image.shape[1])
        return crop_box(torch.from_numpy(image), whole, short_side)[wanted]

    def flow(self, index: int, frames: Sequence[int], *, short_side: int, device: str = "cpu") -> Tensor:
        """Refuse: an image has no flow.

        Raises:
            DataError: always.
        """
        raise no_flow(self.videos[index])

    def unlabelled(self) -> ArraySplit:
        """Hide labels, groups, names and order."""
        if not self.labelled:
            return self
        order = hidden_order(self.videos)
        videos = anonymous([self.videos[position] for position in order])
        return ArraySplit(self.name, videos, self.images[order], labelled=False)


def describe_images(
    path: Path, images: NDArray[np.uint8], labels: Mapping[str, Sequence[int]], *, prefix: str
) -> tuple[Video, ...]:
    """Build the records of the images (N, H, W, 3) that the file at `path` holds.

    Args:
        path: of the file.
        images: its images.
        labels: for each kind of label, N class indices.
        prefix: what the ids start with, `train` in `train-00000`.
    """
    height, width = images.shape[1:3]
    return tuple(
        Video(
            id=f"{prefix}-{position:05d}",
            path=path,
            frames=1,
            fps=1.0,
            width=width,
            height=height,
            labels=dict(zip(labels, classes, strict=True)),
            content=hashlib.sha256(np.ascontiguousarray(images[position]).data).hexdigest(),
        )
        for position, classes in enumerate(zip(*labels.values(), strict=True))
    )
