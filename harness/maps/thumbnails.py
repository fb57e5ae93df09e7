"""A small square picture of each point."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from harness import progress

if TYPE_CHECKING:
    from harness.interfaces import Split
    from harness.video.sheet import Frame

SIDE = 96
"""Of a thumbnail, in pixels."""


def thumbnails(split: Split, frames: Sequence[int]) -> Frame:
    """The middle squares of the frames that show the points: (N, 96, 96, 3) uint8 RGB.

    Args:
        split: of N points, each a video; a video that is several points is read once where they stand together.
        frames: the number of the frame that shows each.

    Raises:
        DataError: when a video does not decode.
    """
    found = np.empty((len(split), SIDE, SIDE, 3), dtype=np.uint8)
    with progress.bar("thumbnails", total=len(split)) as bar:
        for _, same in itertools.groupby(range(len(split)), lambda point: split.videos[point].id):
            points = list(same)
            read = split.read(points[0], [frames[point] for point in points], short_side=SIDE).numpy()
            for point, frame in zip(points, read, strict=True):
                found[point] = _middle(frame)
            bar.advance(len(points))
    return found


def _middle(frame: Frame) -> Frame:
    """The largest square in the middle of (H, W, 3), 96 pixels high and wide."""
    side = min(frame.shape[:2])
    top, left = ((length - side) // 2 for length in frame.shape[:2])
    return scaled(frame[top : top + side, left : left + side], SIDE)


def scaled(square: Frame, side: int) -> Frame:
    """A square picture `side` pixels high and wide."""
    if len(square) == side:
        return square
    return np.asarray(Image.fromarray(square).resize((side, side), Image.Resampling.LANCZOS))
