"""The scales of a frame, laid out one after the other in flat arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Levels:
    """The sizes of the scales of a frame, and where the pixels of each lie in an array of all pixels of all of them.

    Points are given by `xy` (n, 2), pixels of their own level, and `level` (n,).
    """

    widths: NDArray[np.int64]
    heights: NDArray[np.int64]
    nominal: NDArray[np.float64]
    """How many times smaller than the frame, before sizes were rounded to pixels."""

    @classmethod
    def of(cls, width: int, height: int, most: int, factor: float, smallest: int) -> Levels:
        """Levels of a frame, each `factor` smaller than the one before, while the short side has `smallest` pixels."""
        nominal = factor ** np.arange(most, dtype=np.float64)
        widths, heights = (np.rint(side / nominal).astype(np.int64) for side in (width, height))
        kept = np.minimum(widths, heights) >= smallest
        return cls(widths[kept], heights[kept], nominal[kept])

    def __len__(self) -> int:
        return len(self.widths)

    @cached_property
    def factor(self) -> NDArray[np.float32]:
        """(levels, 2): pixels of the frame in a pixel of the level, in x and y."""
        return np.stack([self.widths[0] / self.widths, self.heights[0] / self.heights], 1).astype(np.float32)

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """Where each level's pixels begin, and, last, how many there are of all levels."""
        return np.concatenate([[0], np.cumsum(self.widths * self.heights)])

    @cached_property
    def parts(self) -> list[tuple[slice, tuple[int, int]]]:
        """For each level its place in a flat array, and its height and width."""
        sizes = zip(self.heights.tolist(), self.widths.tolist(), strict=True)
        return [(slice(int(a), int(b)), size) for a, b, size in zip(self.starts, self.starts[1:], sizes, strict=False)]

    def views(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """The levels (h, w) of a flat array."""
        return [flat[place].reshape(size) for place, size in self.parts]

    def pyramid(self, picture: NDArray[Any]) -> list[NDArray[Any]]:
        """A picture (H, W) or (H, W, 2) at each level, each made from the one before."""
        pictures = [picture]
        for _, (height, width) in self.parts[1:]:
            pictures.append(cv2.resize(pictures[-1], (width, height), interpolation=cv2.INTER_LINEAR))
        return pictures

    def flat_flow(self, flow: NDArray[np.float32]) -> NDArray[np.float32]:
        """A flow (H, W, 2) at each level, in pixels of the level: (2, pixels of all levels)."""
        flat = np.empty((2, self.starts[-1]), np.float32)
        for (place, _), picture, factor in zip(self.parts, self.pyramid(flow), self.factor, strict=True):
            for component, across, line in zip(cv2.split(picture), factor, flat, strict=True):
                np.divide(component.reshape(-1), across, out=line[place])
        return flat

    def pixels(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where in a flat array the pixels nearest to points are."""
        x, y = np.rint(xy.T).astype(np.int64)
        x, y = np.clip(x, 0, self.widths[level] - 1), np.clip(y, 0, self.heights[level] - 1)
        return np.asarray(self.starts[level] + y * self.widths[level] + x)

    def corners(
        self, xy: NDArray[np.float32], level: NDArray[np.int64], side: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Left and top pixel of the square of a side around each point, moved to lie inside the level."""
        x, y = np.rint(xy.T).astype(np.int64) - side // 2
        return np.clip(x, 0, self.widths[level] - side), np.clip(y, 0, self.heights[level] - side)

    def inside(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether points lie in the picture, (n,)."""
        last = np.stack([self.widths[level] - 1, self.heights[level] - 1], 1)
        return np.asarray(((xy >= 0) & (xy <= last)).all(1))

    def in_frame(self, xy: NDArray[np.float32], level: NDArray[np.int64]) -> NDArray[np.float32]:
        """Points (n, points, 2) of levels (n,) in pixels of the full frame: pixels are squares, with their centre."""
        factor = self.factor[level][:, None]
        return np.asarray((xy + 0.5) * factor - 0.5, np.float32)
