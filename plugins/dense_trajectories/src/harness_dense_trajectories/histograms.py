"""Histograms of gradients, flow and motion boundaries around points of a frame."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import BINS, CELLS, HISTOGRAMS, STEPS, TIME_CELLS, Floats

_CORNERS = CELLS + 1
SINGLE = 320 * 240
"""Most pixels of a frame whose cells are summed in single precision.

It rounds more the more there is above and to the left: around points of little texture by up to 1e-2 in frames of this
size, and by 0.1 in those of 1920 x 1080.
"""
FRAME_WIDTH = CELLS * CELLS * sum(HISTOGRAMS.values())
"""Numbers that describe a point in one frame, 132."""


class Histograms:
    """HOG, HOF, MBHx and MBHy of points in frames of one size, at all levels at once.

    A pixel's magnitude is shared between the two nearest of 8 orientations. Cells are summed with integral images: one
    a bin and scale, from which the corners of the cells around all points are read before the next one takes its place.
    They have double precision in frames of more than 320 x 240 pixels, so that it does not matter where a point lies.
    """

    def __init__(self, levels: Levels, settings: Settings) -> None:
        self._levels = levels
        self._settings = settings
        pixels = int(levels.starts[-1])
        self._x, self._y, self._part = np.empty((3, 1, pixels), np.float32)
        ends = np.cumsum((levels.widths + 1) * (levels.heights + 1))
        self._starts = np.concatenate([[0], ends])
        large = int(levels.widths[0] * levels.heights[0]) > SINGLE
        self._depth = cv2.CV_64F if large else cv2.CV_32F  # doubles are slower
        self._integral = np.empty(ends[-1], np.float64 if large else np.float32)
        self._integrals = [
            self._integral[start:end].reshape(height + 1, width + 1)
            for start, end, (_, (height, width)) in zip(self._starts, ends, levels.parts, strict=False)
        ]

    def __call__(self, pictures: list[NDArray[np.uint8]], flow: Floats, xy: Floats, level: NDArray[np.int64]) -> Floats:
        """Describe points in one frame, (n, 132): HOG 32, HOF 36, MBHx 32, MBHy 32.

        Each is (x cell, y cell, bin), divided by its sum over the cells; of that the root is taken.

        Args:
            pictures: grey, (h, w) for each level.
            flow: to the next frame without the camera's motion, (2, pixels of all levels), in pixels of the level.
            xy: (n, 2), pixels of the level.
            level: (n,).
        """
        if not len(xy):
            return np.empty((0, FRAME_WIDTH), np.float32)
        places = self._places(xy, level)
        parts = [self._oriented(pictures, places)]
        self._x[0], self._y[0] = flow
        parts.append(self._binned(places, still=self._settings.still))
        parts += [self._oriented(self._levels.views(component), places) for component in flow]
        described = np.concatenate(parts)  # (132, n), with (x cell, y cell, bin) in each part
        return np.asarray(cv2.transpose(described), np.float32)

    def _places(self, xy: Floats, level: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices of cells' corners in the integral images, (corners x * y * n,)."""
        side = self._settings.neighbourhood
        left, top = self._levels.corners(xy, level, side)
        row = self._levels.widths[level] + 1
        offsets = np.arange(_CORNERS) * (side // CELLS)
        first = self._starts[level] + top * row + left
        return np.asarray(first + offsets[:, None, None] + offsets[:, None] * row).reshape(-1)

    def _oriented(self, pictures: list[NDArray[Any]], places: NDArray[np.int64]) -> Floats:
        """Histograms of the gradients of pictures."""
        for x, y, picture in zip(self._levels.views(self._x[0]), self._levels.views(self._y[0]), pictures, strict=True):
            x[:] = cv2.Sobel(picture, cv2.CV_32F, 1, 0, ksize=1)
            y[:] = cv2.Sobel(picture, cv2.CV_32F, 0, 1, ksize=1)
        return self._binned(places)

    def _binned(self, places: NDArray[np.int64], still: float | None = None) -> Floats:
        """Normalised histograms (cells * bins, n) of the vectors in `_x` and `_y`.

        With k the angle in bins and m the magnitude, the bins' shares follow from 8 ramps: m itself, and for
        b = 0...6 what rises from 0 to m while k goes from b to b + 1, and falls back to 0 where k goes from 7 to 8. A
        bin is the difference of two neighbours, which is as true of the sums as of the pixels.
        """
        magnitude, angle = cv2.cartToPolar(self._x, self._y)
        standing = []
        if still is not None:
            _, standing_still = cv2.threshold(magnitude, still, 1, cv2.THRESH_BINARY_INV, dst=self._part)
            standing.append(self._summed(standing_still, places))
            _, magnitude = cv2.threshold(magnitude, still, 0, cv2.THRESH_TOZERO, dst=magnitude)
        np.multiply(angle, BINS / (2 * np.pi), out=angle)
        np.multiply(angle, magnitude, out=angle)  # k m
        np.multiply(magnitude, BINS, out=self._x)
        np.subtract(self._x, angle, out=self._x)
        falling = cv2.min(self._x, magnitude, dst=self._x)
        ramps = [self._summed(magnitude, places)]
        for _ in range(BINS - 1):
            _, part = cv2.threshold(angle, 0, 0, cv2.THRESH_TOZERO, dst=self._part)
            part = cv2.min(part, falling, dst=self._part)
            ramps.append(self._summed(part, places))
            np.subtract(angle, magnitude, out=angle)
        bins = [before - after for before, after in itertools.pairwise(ramps)]
        sums = np.stack([*bins, ramps[-1], *standing], axis=1)  # (cells, bins, n)
        np.maximum(sums, 0, out=sums)  # a difference may be off by a rounding
        sums += self._settings.epsilon
        flat = sums.reshape(sums.shape[0] * sums.shape[1], -1)
        flat /= flat.sum(0)
        return np.asarray(np.sqrt(flat, out=flat), np.float32)

    def _summed(self, plane: Any, places: NDArray[np.int64]) -> Floats:
        """Sums of `plane` (1, pixels) over the cells, (cells in x * cells in y, n)."""
        for picture, integral in zip(self._levels.views(plane[0]), self._integrals, strict=True):
            cv2.integral(picture, integral, self._depth)
        corners = np.take(self._integral, places).reshape(_CORNERS, _CORNERS, -1)
        columns = corners[1:] - corners[:-1]
        return np.asarray(columns[:, 1:] - columns[:, :-1], np.float32).reshape(CELLS * CELLS, -1)


def average_in_time(window: Sequence[Floats], rows: NDArray[np.int64]) -> Floats:
    """Average histograms over the frames of each cell of time, (n, 396).

    Args:
        window: the histograms of all points in each of the tracks' 15 frames, (points, 132) each.
        rows: (n, 15), which of these points are the track's.

    Returns:
        the columns `hog` to `mbh_y`.
    """
    frames = np.stack([points[rows[:, step]] for step, points in enumerate(window)], axis=1)
    means = frames.reshape(len(rows), TIME_CELLS, STEPS // TIME_CELLS, -1).mean(2)
    edges = CELLS * CELLS * np.cumsum(list(HISTOGRAMS.values()))[:-1]
    return np.concatenate([part.reshape(len(rows), -1) for part in np.split(means, edges, axis=2)], axis=1)
