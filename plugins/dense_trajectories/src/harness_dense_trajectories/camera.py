"""The camera's motion between two frames: a homography from matches of key points and of corners."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.settings import Settings

Points = NDArray[np.float32]
_POINTS = 300
"""Key points of a frame at most: with the corners enough, more are no closer to the truth."""
_SINGULAR = 1e-6


@dataclass(frozen=True, slots=True)
class _Seen:
    """What is matched of a frame: key points (n, 2), what they look like, and corners (m, 2)."""

    points: Points
    features: NDArray[Any]
    corners: Points


class Camera:
    """Homographies between consecutive frames of a video, shown one after the other."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        if settings.detector == "orb":
            self._detector: Any = cv2.ORB.create(_POINTS, nlevels=1)  # coarser levels put points a pixel off
            self._norm, self._type = cv2.NORM_HAMMING, cv2.CV_32S
        else:
            self._detector = cv2.SIFT.create(_POINTS)
            self._norm, self._type = cv2.NORM_L2, cv2.CV_32F
        self._seen: deque[_Seen] = deque(maxlen=2)

    def show(self, frame: NDArray[np.uint8], humans: NDArray[np.float32]) -> None:
        """Take the next frame (H, W) in, grey, but for what lies in boxes (k, 4)."""
        settings = self._settings
        background = _background(frame, humans)
        points, features = self._detector.detectAndCompute(frame, background)
        corners = cv2.goodFeaturesToTrack(
            frame, settings.corners, settings.quality, settings.corner_distance, mask=background
        )
        places = np.array([point.pt for point in points], np.float32)
        self._seen.append(_Seen(places.reshape(-1, 2), features, _listed(corners)))

    def motion(self, flow: NDArray[np.float32]) -> NDArray[np.float64] | None:
        """The homography (3, 3) from the frame before the last to the last, of which `flow` (H, W, 2) is the flow.

        None where too few matches agree on one: the camera counts as still.
        """
        settings = self._settings
        first, second = self._seen
        before, now = self._matched(first, second)
        before = np.concatenate([before, first.corners])
        now = np.concatenate([now, _moved(first.corners, flow)])
        if len(before) <= settings.min_matches:
            return None
        homography, inliers = cv2.findHomography(before, now, cv2.RANSAC, settings.ransac_error)
        if homography is None or inliers.sum() <= settings.min_inliers or abs(np.linalg.det(homography)) < _SINGULAR:
            return None
        return np.asarray(homography, np.float64)

    def _matched(self, first: _Seen, second: _Seen) -> tuple[Points, Points]:
        """Pairs of key points, (n, 2) each, that are each other's nearest in a window."""
        if not len(first.points) or not len(second.points):
            return np.empty((0, 2), np.float32), np.empty((0, 2), np.float32)
        across, down = (np.abs(np.subtract.outer(first.points[:, k], second.points[:, k])) for k in (0, 1))
        near = (np.maximum(across, down) <= self._settings.match_window).astype(np.uint8)
        forth = self._nearest(first, second, near)
        back = self._nearest(second, first, np.ascontiguousarray(near.T))
        mutual = np.flatnonzero((forth >= 0) & (back[forth] == np.arange(len(forth))))
        return first.points[mutual], second.points[forth[mutual]]

    def _nearest(self, first: _Seen, second: _Seen, near: NDArray[np.uint8]) -> NDArray[np.int64]:
        """For each key point of `first` the most similar of `second` among those that are `near`; -1 for none."""
        _, found = cv2.batchDistance(first.features, second.features, self._type, normType=self._norm, K=1, mask=near)
        return np.asarray(found, np.int64)[:, 0]


def _background(frame: NDArray[np.uint8], humans: NDArray[np.float32]) -> NDArray[np.uint8] | None:
    """255 outside of the boxes, 0 inside; None where there are no boxes."""
    if not len(humans):
        return None
    mask = np.full(frame.shape, 255, np.uint8)
    for left, top, right, bottom in humans.tolist():
        mask[max(0, int(top)) : max(0, int(np.ceil(bottom))), max(0, int(left)) : max(0, int(np.ceil(right)))] = 0
    return mask


def _listed(corners: Any) -> Points:
    return np.empty((0, 2), np.float32) if corners is None else np.asarray(corners, np.float32).reshape(-1, 2)


def _moved(points: Points, flow: NDArray[np.float32]) -> Points:
    x, y = np.rint(points.T).astype(np.int64)
    return np.asarray(points + flow[y, x])
