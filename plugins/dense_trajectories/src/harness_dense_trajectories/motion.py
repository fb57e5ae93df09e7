"""Motion between frames: optical flow, the camera's homography, what remains."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.settings import Settings

Points = NDArray[np.float32]
_KEY_POINTS = 300
"""Largest number of key points; beside the corners, more add no accuracy."""
_SINGULAR = 1e-6


class OpticalFlow:
    """Optical flow between frames of one size, filtered with a median.

    It is computed once, at full size; the smaller levels are scaled from it.
    """

    def __init__(self, settings: Settings, levels: int) -> None:
        self._settings = settings
        self._levels = levels
        self._dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)

    def __call__(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Flow (H, W, 2) between frames (H, W), in pixels to the right and down."""
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
    """Removal of the camera's motion from the flow between frames of one size."""

    def __init__(self, width: int, height: int) -> None:
        self._pixels = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)

    def __call__(self, flow: NDArray[np.float32], homography: NDArray[np.float64]) -> NDArray[np.float32]:
        """Flow (H, W, 2) as it would be had the camera stood still.

        A point that goes to x + flow(x), where the homography H takes the background from one frame to the next,
        would have gone to H^-1 (x + flow(x)). The original warps the second frame and computes flow once more, which
        takes twice as long and has the same aim.
        """
        arrived = cv2.perspectiveTransform(self._pixels + flow, np.linalg.inv(homography))
        return np.asarray(arrived - self._pixels, np.float32)


@dataclass(frozen=True, slots=True)
class _Features:
    """Key points (n, 2) of a frame, their descriptors, and corners (m, 2)."""

    points: Points
    descriptors: NDArray[Any]
    corners: Points


class Camera:
    """Estimate of the camera's motion between consecutive frames of a video."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        if settings.detector == "orb":
            self._detector: Any = cv2.ORB.create(_KEY_POINTS, nlevels=1)  # coarser levels put points a pixel off
            self._norm, self._type = cv2.NORM_HAMMING, cv2.CV_32S
        else:
            self._detector = cv2.SIFT.create(_KEY_POINTS)
            self._norm, self._type = cv2.NORM_L2, cv2.CV_32F
        self._frames: deque[_Features] = deque(maxlen=2)

    def add_frame(self, frame: NDArray[np.uint8], humans: NDArray[np.float32]) -> None:
        """Detect points of the next grey frame (H, W) outside of the boxes (k, 4)."""
        settings = self._settings
        background = _background(frame, humans)
        points, descriptors = self._detector.detectAndCompute(frame, background)
        corners = cv2.goodFeaturesToTrack(
            frame, settings.corners, settings.quality, settings.corner_distance, mask=background
        )
        places = np.array([point.pt for point in points], np.float32)
        listed = np.empty((0, 2), np.float32) if corners is None else np.asarray(corners, np.float32).reshape(-1, 2)
        self._frames.append(_Features(places.reshape(-1, 2), descriptors, listed))

    def homography(self, flow: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """Estimate the homography (3, 3) between the last two frames, with their flow.

        None when too few matches agree on one: the camera counts as still.
        """
        settings = self._settings
        first, second = self._frames
        before, now = self._match(first, second)
        before = np.concatenate([before, first.corners])
        now = np.concatenate([now, _follow(first.corners, flow)])
        if len(before) <= settings.min_matches:
            return None
        homography, inliers = cv2.findHomography(before, now, cv2.RANSAC, settings.ransac_error)
        if homography is None or inliers.sum() <= settings.min_inliers or abs(np.linalg.det(homography)) < _SINGULAR:
            return None
        return np.asarray(homography, np.float64)

    def _match(self, first: _Features, second: _Features) -> tuple[Points, Points]:
        """Match key points (n, 2) that are each other's nearest within the window."""
        if not len(first.points) or not len(second.points):
            return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
        across, down = (np.abs(np.subtract.outer(first.points[:, k], second.points[:, k])) for k in (0, 1))
        near = (np.maximum(across, down) <= self._settings.match_window).astype(np.uint8)
        forth = self._nearest(first, second, near)
        back = self._nearest(second, first, np.ascontiguousarray(near.T))
        mutual = np.flatnonzero((forth >= 0) & (back[forth] == np.arange(len(forth))))
        return first.points[mutual], second.points[forth[mutual]]

    def _nearest(self, first: _Features, second: _Features, near: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Most similar key point of `second` for each of `first`, if `near`, else -1."""
        _, index = cv2.batchDistance(
            first.descriptors, second.descriptors, self._type, normType=self._norm, K=1, mask=near
        )
        return np.asarray(index, np.int64)[:, 0]


def _background(frame: NDArray[np.uint8], humans: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """Mask with 255 outside of the boxes and 0 inside; None when there are no boxes."""
    if not len(humans):
        return None
    mask = np.full(frame.shape, 255, np.uint8)
    for left, top, right, bottom in humans.tolist():
        mask[max(0, int(top)) : max(0, int(np.ceil(bottom))), max(0, int(left)) : max(0, int(np.ceil(right)))] = 0
    return mask


def _follow(points: Points, flow: NDArray[np.float32]) -> Points:
    """Move points by the flow at their nearest pixels."""
    x, y = np.rint(points.T).astype(np.int64)
    return np.asarray(points + flow[y, x])
