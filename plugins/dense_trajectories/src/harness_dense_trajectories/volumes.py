"""Grey volumes that follow a track: what the 3D autoencoder of the mid-level paper sees."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.levels import Levels

FRAMES = 12
FIRST = 2
"""Of the 16 frames of a track, the first of the 12 in its middle."""


def halved(pictures: list[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Of each pixel, its right, lower and lower right neighbour the mean, flat, for all levels."""
    sums = [  # cv2.blur rounds up
        cv2.boxFilter(picture, cv2.CV_16U, (2, 2), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_REPLICATE)
        for picture in pictures
    ]
    return ((np.concatenate([each.reshape(-1) for each in sums]) + 2) // 4).astype(np.uint8)


def volumes(
    window: Sequence[NDArray[np.uint8]],
    xy: NDArray[np.float32],
    level: NDArray[np.int64],
    levels: Levels,
    side: int,
) -> NDArray[np.uint8]:
    """(n, 12, side / 2, side / 2): the square around each point of the middle of a track, scaled by a half.

    Args:
        window: the frames of the tracks, `halved`, 16 of them.
        xy: (n, 16, 2), pixels of the tracks' level.
        level: (n,).
        levels: of the frame.
        side: of the square, pixels of the level; it is moved to lie inside.
    """
    steps = np.arange(0, side, 2)
    found = np.empty((len(xy), FRAMES, len(steps), len(steps)), np.uint8)
    row = levels.widths[level]
    offsets = (row[:, None, None] * steps[:, None] + steps).reshape(len(xy), len(steps), len(steps))
    for number in range(FRAMES):
        left, top = levels.corners(xy[:, FIRST + number], level, side)
        start = levels.starts[level] + top * row + left
        found[:, number] = np.take(window[FIRST + number], start[:, None, None] + offsets)
    return found
