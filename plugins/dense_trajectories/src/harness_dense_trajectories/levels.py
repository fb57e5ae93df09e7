"""Scales of a frame, laid out one after the other in flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Levels:
    """Sizes of a frame's scales, and the place of each in a flat array of pixels.

    Points are given by `xy` (n, 2), pixels of their own level, and `level` (n,).
    """

    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    nominal: NDArray[np.float64]
    """Ratio of the frame's size to the level's, before sizes were rounded to pixels."""

    @classmethod
    def of(cls, width: int, height: int, most: int, factor: float, smallest: int) -> Levels:
        """Divide a frame's size by `factor` down to a short side of `smallest` pixels."""
        nominal = factor ** np.arange(most, dtype=np.float64)
        widths, heights = (np.rint(side / nominal).astype(np.int64) for side in (width, height))
        kept = np.minimum(widths, heights) >= smallest
        return cls(widths[kept], heights[kept], nominal[kept])

    def __len__(self) -> int:
        return len(self.widths)

    @cached_property
    def factor(self) -> NDArray[np.float32]:
        """Pixels of the frame in a pixel of each level, in x and y, (levels, 2)."""
        return np.stack([self.widths[0] / self.widths, self.heights[0] / self.heights], 1).astype(np.float32)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Index of the first pixel of each level, and, last, the number of all pixels."""
        return np.concatenate([[0], np.cumsum(self.widths * self.heights)])

    @cached_property
    def parts(self) -> list[tuple[slice, tuple[int, int]]]:
        """Slice of a flat array, and height and width, of each level."""
        sizes = zip(self.heights.tolist(), self.widths.tolist(), strict=True)
        return [(slice(int(a), int(b)), size) for a, b, size in zip(self.starts, self.starts[1:], sizes, strict=False)]

    def views(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """View a flat array as levels (h, w)."""
        return [flat[place].reshape(size) for place, size in self.parts]

    def pyramid(self, picture: NDArray[Any]) -> list[NDArray[Any]]:
        """Resize a picture (H, W) or (H, W, 2) to each level, each from the one before."""
        pictures = [picture]
        for _, (height, width) in self.parts[1:]:
            pictures.append(cv2.resize(pictures[-1], (width, height), interpolation=cv2.INTER_LINEAR))
        return pictures

    def flat_flow(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        """Resize a flow (H, W, 2) to each level, in its pixels: (2, pixels of all levels)."""
        flat = np.empty((2, self.starts[-1]), np.float32)
        for (place, _), picture, factor in zip(self.parts, self.pyramid(flow), self.factor, strict=True):
            for component, across, line in zip(cv2.split(picture), factor, flat, strict=True):
                np.divide(component.reshape(-1), across, out=line[place])
        return flat

    def pixels(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.int64]:
        """Indices in a flat array of the pixels nearest to points."""
        x, y = np.rint(xy.T).astype(np.int64)
        x, y = np.clip(x, 0, self.widths[level] - 1), np.clip(y, 0, self.heights[level] - 1)
        return np.asarray(self.starts[level] + y * self.widths[level] + x)

    def corners(
        self, xy: NDArray[np.float32], level: NDArray[np.int64], side: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Left and top pixel of the square around each point, moved inside the level."""
        x, y = np.rint(xy.T).astype(np.int64) - side // 2
        return np.clip(x, 0, self.widths[level] - side), np.clip(y, 0, self.heights[level] - side)

    def inside(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Test points for lying in the picture, (n,)."""
        last = np.stack([self.widths[level] - 1, self.heights[level] - 1], 1)
        return np.asarray(((xy >= 0) & (xy <= last)).all(1))

    def in_frame(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scale points (n, points, 2) of levels (n,) to pixels of the full frame.

        A pixel is a square with its centre at integers.
        """
        factor = self.factor[level][:, None]
        return np.asarray((xy + 0.5) * factor - 0.5, np.float32)
