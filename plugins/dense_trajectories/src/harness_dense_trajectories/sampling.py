"""Where new tracks begin: on a grid, where there is texture and no track yet."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings


def sample(
    pictures: list[NDArray[np.uint8]],
    xy: NDArray[np.float32],
    level: NDArray[np.int64],
    levels: Levels,
    settings: Settings,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """New points (n, 2) and their levels (n,): the middles of the grid's cells that are textured and empty.

    A pixel is textured where the smaller eigenvalue of the structure tensor (blocks of 3 pixels, Shi and Tomasi 1994)
    exceeds a share of the level's largest.

    Args:
        pictures: grey, (h, w) for each level.
        xy: the points that are being followed, (m, 2), pixels of their level.
        level: their levels, (m,).
        levels: of the frame.
        settings: `stride` and `quality`.
    """
    stride = settings.stride
    taken = np.zeros((len(levels), levels.heights[0] // stride + 1, levels.widths[0] // stride + 1), bool)
    cell_x, cell_y = (np.rint(xy.T) // stride).astype(np.int64)
    taken[level, cell_y, cell_x] = True
    points, numbers = [], []
    for number, picture in enumerate(pictures):
        texture = cv2.cornerMinEigenVal(picture, 3, ksize=3)
        rows, columns = (side // stride for side in picture.shape)
        middles = texture[stride // 2 :: stride, stride // 2 :: stride][:rows, :columns]
        free = (middles > settings.quality * texture.max()) & ~taken[number, :rows, :columns]
        y, x = np.nonzero(free)
        points.append(np.stack([x, y], 1) * stride + stride // 2)
        numbers.append(np.full(len(x), number))
    return np.concatenate(points).astype(np.float32), np.concatenate(numbers).astype(np.int64)
