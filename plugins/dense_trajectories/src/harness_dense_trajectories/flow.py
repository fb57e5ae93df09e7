"""Flow from one frame to the next, and what is left of it when the camera's motion is taken out."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.settings import Settings


class FlowBetween:
    """Flow between frames of one size, filtered with a median.

    It is computed once, at full size; the smaller levels are scaled from it.
    """

    def __init__(self, settings: Settings, levels: int) -> None:
        self._settings = settings
        self._levels = levels
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 2): where in `second` what `first` (H, W) shows has gone, in pixels to the right and down."""
        nothing: Any = None  # to start from
        settings = self._settings
        if settings.flow == "dis":
            flow = self._dis.calc(first, second, nothing)
        else:
            flow = cv2.calcOpticalFlowFarneback(
                first,
                second,
                nothing,
                pyr_scale=1 / settings.level_factor,
                levels=self._levels,
                winsize=settings.farneback_window,
                iterations=settings.farneback_iterations,
                poly_n=settings.farneback_neighbours,
                poly_sigma=settings.farneback_sigma,
                flags=0,
            )
        if settings.median:
            flow = cv2.merge([cv2.medianBlur(plane, settings.median) for plane in cv2.split(flow)])
        return np.asarray(flow, np.float32)


class Compensation:
    """Flow less the camera's motion, for frames of one size."""

    def __init__(self, width: int, height: int) -> None:
        self._places = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)

    def __call__(self, flow: NDArray[np.float32], homography: NDArray[np.float64]) -> NDArray[np.float32]:
        """Flow (H, W, 2) as it would be had the camera stood still.

        A point that goes to x + flow(x), where the homography H takes the background from one frame to the next,
        would have gone to H^-1 (x + flow(x)). The original warps the second frame and computes flow once more, which
        takes twice as long and has the same aim.
        """
        arrived = cv2.perspectiveTransform(self._places + flow, np.linalg.inv(homography))
        return np.asarray(arrived - self._places, np.float32)
