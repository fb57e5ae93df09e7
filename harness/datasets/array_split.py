"""Splits of small images that lie in memory, because their data set publishes arrays instead of files."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness.interfaces import Video
from harness.video.box import Box, cut


@dataclass(frozen=True)
class ArraySplit:
    """Images of one size, each a video of one frame.

    Args:
        name: `train` or `test`.
        videos: in the order of `images`; a path is the file whose array holds the image.
        images: (N, H, W, 3) uint8 RGB.
        classes: for each kind of label, the names of its classes.
        labelled: whether `videos` carry labels.

    Raises:
        ValueError: when there is not one image for each video, or they are not of that shape and type.
    """

    name: str
    videos: Sequence[Video]
    images: NDArray[np.uint8]
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    labelled: bool = True

    def __post_init__(self) -> None:
        shape = self.images.shape
        if len(shape) != 4 or shape[3] != 3 or len(self.videos) != shape[0] or self.images.dtype != np.uint8:
            msg = f"{len(self.videos)} videos need images ({len(self.videos)}, H, W, 3) uint8, got {shape}"
            raise ValueError(f"{msg} {self.images.dtype}")

    def __len__(self) -> int:
        return len(self.videos)

    @cached_property
    def manifest(self) -> str:
        """Hash of all pixels and (in a labelled split) every image's id, labels and group, in order."""
        sha = hashlib.sha256(str(self.images.shape).encode())
        sha.update(np.ascontiguousarray(self.images).data)
        if self.labelled:
            rows = [[video.id, video.group, sorted(video.labels.items())] for video in self.videos]
            sha.update(json.dumps([rows, sorted(self.classes.items())]).encode())
        return sha.hexdigest()[:20]

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        """Image `index` as (T, H, W, C) uint8 RGB, its short side resized to `short_side` pixels.

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
        return cut(torch.from_numpy(image), whole, short_side)[wanted]

    def unlabelled(self) -> ArraySplit:
        """The same images without labels, groups and telling names."""
        videos = tuple(
            dataclasses.replace(video, id=f"{position:06d}", group="", labels={})
            for position, video in enumerate(self.videos)
        )
        return ArraySplit(self.name, videos, self.images, {}, labelled=False)


def images_of(
    path: Path, images: NDArray[np.uint8], labels: Mapping[str, Sequence[int]], *, prefix: str
) -> tuple[Video, ...]:
    """The record of each of the images (N, H, W, 3) that the file at `path` holds.

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
        )
        for position, classes in enumerate(zip(*labels.values(), strict=True))
    )
