"""Parts of pictures: people that annotations frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from harness.video.decode import resized


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels, which may reach beyond the picture.

    Raises:
        ValueError: when it has no pixels.
    """

    left: int
    top: int
    right: int
    bottom: int
    """The first row, and column, that no longer belongs to it."""

    def __post_init__(self) -> None:
        if self.right <= self.left or self.bottom <= self.top:
            msg = f"a box needs at least one pixel, got {self}"
            raise ValueError(msg)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.right - self.left, self.bottom - self.top


def cut(frames: Tensor, box: Box, short_side: int | None = None) -> Tensor:
    """The part `box` of frames (T, H, W, C) uint8, its short side resized to `short_side` pixels.

    Pixels beyond the picture are black. Resizing takes the mean of the pixels covered; bilinear when enlarging.

    >>> picture = torch.arange(16, dtype=torch.uint8).view(1, 4, 4, 1)
    >>> cut(picture, Box(2, 2, 5, 4))[0, :, :, 0].tolist()
    [[10, 11, 0], [14, 15, 0]]
    """
    inside = frames[:, max(box.top, 0) : max(box.bottom, 0), max(box.left, 0) : max(box.right, 0)]
    part = frames.new_zeros((len(frames), box.bottom - box.top, box.right - box.left, frames.shape[3]))
    top, left = max(-box.top, 0), max(-box.left, 0)
    part[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside
    size = resized(*box.size, short_side)
    if size == box.size:
        return part
    how = cv2.INTER_AREA if size < box.size else cv2.INTER_LINEAR
    return torch.from_numpy(np.stack([cv2.resize(frame, size, interpolation=how) for frame in part.numpy()]))
