"""What is extracted from a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """The trajectories of one video, in the order in which they end."""

    table: NDArray[np.float32]
    """(n, 436): see `columns`."""
    tracks: NDArray[np.float32]
    """(n, 16, 2): x and y in pixels of the full frame; the middle of the first pixel is at 0, 0."""
    frame: NDArray[np.int64]
    """(n,): first frame of each; the column of this name has the last."""
    removed: NDArray[np.float32]
    """(m, 16, 2): tracks that only the camera moved."""
    removed_frame: NDArray[np.int64]
    """(m,): first frame of each."""
    volumes: NDArray[np.uint8] | None = None
    """(n, 12, 16, 16) grey, where they were asked for: the 32 x 32 neighbourhood scaled by a half, frames 2 to 13."""
