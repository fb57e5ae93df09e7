"""Improved dense trajectories of a video (Wang and Schmid 2013)."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.boxes import Boxes, check_boxes
from harness_dense_trajectories.histograms import Histograms, average_in_time
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.motion import Camera, Compensation, OpticalFlow
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tracks import LiveTracks, has_own_motion, is_valid, sample_points
from harness_dense_trajectories.trajectories import STEPS, WIDTH, Floats, Trajectories, add_shares, describe_tracks

Frame = NDArray[np.uint8]
VOLUME_FRAMES = 12
VOLUME_START = 2
"""First frame of a volume: it has the middle 12 of the 16 frames of a track."""


def extract(
    frames: Iterable[Frame],
    settings: Settings | None = None,
    *,
    boxes: Boxes | None = None,
    volumes: bool = False,
) -> Trajectories:
    """Extract the trajectories of a video frame by frame.

    Points are sampled on a grid at up to 8 scales, followed for 15 frames by the flow, and described by HOG, HOF and
    MBH around them; the camera's motion, a homography between consecutive frames, is taken out of HOF, MBH and shape.
    Static and wildly jumping tracks are dropped, and those that only the camera moved. Videos of under 16 frames have
    none, nor do those without texture or motion. Memory grows with the trajectories, not with the frames.

    Runs on as many threads as OpenCV is set to; the trajectories are the same on every run with the same number.

    Args:
        frames: (T, H, W) uint8 grey, or an iterable of such frames (H, W), which is passed once.
        settings: the original's, by default.
        boxes: around humans, T x (k, 4) of left, top, right, bottom in pixels, which the camera's motion is not
            estimated from.
        volumes: whether to cut the grey volumes out as well.

    Raises:
        ValueError: when frames are not grey uint8, differ in size, or are smaller than the neighbourhood (32 pixels),
            or there are not as many lists of boxes as frames.
    """
    settings = settings or Settings()
    if isinstance(frames, np.ndarray) and frames.ndim != 3:
        msg = f"frames must be (T, H, W) uint8, got {frames.shape} {frames.dtype}"
        raise ValueError(msg)
    return track(frames, boxes, settings, functools.partial(Tracker, settings=settings, with_volumes=volumes)).result()


class Tracker:
    """Extraction of the trajectories of frames of one size, added one after the other."""

    def __init__(self, shape: tuple[int, ...], settings: Settings, *, with_volumes: bool) -> None:
        self.shape = shape
        height, width = shape
        side = settings.neighbourhood
        self._levels = levels = Levels.of(width, height, settings.levels, settings.level_factor, side)
        self._settings = settings
        self._flow = OpticalFlow(settings, len(levels))
        self._camera, self._compensation = Camera(settings), Compensation(width, height)
        self._histograms = Histograms(levels, settings) if len(levels) else None
        self._live = LiveTracks.start(np.empty((0, 2), np.float32), np.empty(0, np.int64))
        self._described: deque[Floats] = deque(maxlen=STEPS)
        self._halved: deque[Frame] | None = deque(maxlen=STEPS + 1) if with_volumes else None
        self._number = -1
        self._before: list[Frame] = []
        self._parts: list[tuple[Floats, Floats]] = []
        self._removed: list[tuple[Floats, NDArray[np.int64]]] = []
        self._volumes: list[NDArray[np.uint8]] = []

    def add_frame(self, frame: Frame, humans: Floats) -> None:
        """Follow the tracks into the next frame, end complete ones, begin new ones."""
        self._number += 1
        pictures = self._levels.pyramid(frame)
        if self._halved is not None:
            self._halved.append(halve(pictures))
        if self._settings.compensate:
            self._camera.add_frame(frame, humans)
        if self._before:
            self._follow(frame)
            self._end()
        if self._number % self._settings.gap == 0:
            new = sample_points(pictures, self._live.xy, self._live.level, self._levels, self._settings)
            self._live = self._live + LiveTracks.start(*new)
        self._before = pictures

    def result(self) -> Trajectories:
        """Trajectories of all frames that were added."""
        rows = np.concatenate([np.empty((0, WIDTH), np.float32), *(rows for rows, _ in self._parts)])
        none = np.empty((0, STEPS + 1, 2), np.float32)
        add_shares(rows, self.shape[1], self.shape[0], self._number + 1)
        side = self._settings.neighbourhood // 2
        volumes = np.concatenate([np.empty((0, VOLUME_FRAMES, side, side), np.uint8), *self._volumes])
        return Trajectories(
            table=rows,
            tracks=np.concatenate([none, *(tracks for _, tracks in self._parts)]),
            frame=rows[:, 0].astype(np.int64) - STEPS,
            removed=np.concatenate([none, *(tracks for tracks, _ in self._removed)]),
            removed_frame=np.concatenate([np.empty(0, np.int64), *(frame for _, frame in self._removed)]),
            volumes=volumes if self._halved is not None else None,
        )

    def _follow(self, frame: Frame) -> None:
        assert self._histograms is not None
        levels, live = self._levels, self._live
        flow = self._flow(self._before[0], frame)
        by_level = own = levels.flat_flow(flow)
        homography = self._camera.homography(flow) if self._settings.compensate else None
        if homography is not None:
            own = levels.flat_flow(self._compensation(flow, homography))
        xy = live.xy
        self._described.append(self._histograms(self._before, own, xy, live.level))
        pixels = levels.pixels(xy, live.level)
        live.step(by_level[:, pixels].T, own[:, pixels].T)
        self._live = live[levels.inside(live.xy, live.level)]

    def _end(self) -> None:
        complete = np.count_nonzero(self._live.age == STEPS)  # the oldest, which are first
        ended, self._live = self._live[:complete], self._live[complete:]
        tracks = self._levels.in_frame(ended.points, ended.level)
        kept = is_valid(tracks, self._settings)
        ended, tracks = ended[kept], tracks[kept]
        displacement = ended.displacement * self._levels.factor[ended.level][:, None]
        if self._settings.compensate:
            kept = has_own_motion(displacement, self._settings)
            start = np.full((~kept).sum(), self._number - STEPS, np.int64)
            self._removed.append((tracks[~kept], start))
            ended, tracks, displacement = ended[kept], tracks[kept], displacement[kept]
        if len(tracks):
            self._keep(ended, tracks, displacement)

    def _keep(self, ended: LiveTracks, tracks: Floats, displacement: Floats) -> None:
        """Put tracks that have passed every test into the table."""
        histograms = average_in_time(self._described, ended.rows)
        scale = self._levels.nominal[ended.level]
        self._parts.append((describe_tracks(tracks, displacement, scale, self._number, histograms), tracks))
        if self._halved is not None:
            side = self._settings.neighbourhood
            self._volumes.append(cut_volumes(self._halved, ended.points, ended.level, self._levels, side))


T = TypeVar("T", bound=Tracker)


def track(frames: Iterable[Frame], boxes: Boxes | None, settings: Settings, begin: Callable[[tuple[int, ...]], T]) -> T:
    """Track all frames with the tracker that `begin` makes for their size (H, W).

    Raises:
        ValueError: as in `extract`.
    """
    tracker: T | None = None
    count = 0
    for count, frame in enumerate(frames, 1):
        _check(frame, tracker.shape if tracker else None, settings)
        tracker = tracker or begin(frame.shape)
        tracker.add_frame(frame.copy(order="C"), _humans(boxes, count - 1))
    if boxes is not None and len(boxes) > count:
        msg = f"boxes must be one list a frame, got {len(boxes)} lists for {count} frames"
        raise ValueError(msg)
    return tracker or begin((0, 0))


def halve(pictures: list[Frame]) -> NDArray[np.uint8]:
    """Average 2 x 2 pixels, from each on to the right and down; flat, all levels."""
    sums = [  # cv2.blur rounds up
        cv2.boxFilter(picture, cv2.CV_16U, (2, 2), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_REPLICATE)
        for picture in pictures
    ]
    return ((np.concatenate([each.reshape(-1) for each in sums]) + 2) // 4).astype(np.uint8)


def cut_volumes(
    window: Sequence[NDArray[np.uint8]], xy: Floats, level: NDArray[np.int64], levels: Levels, side: int
) -> NDArray[np.uint8]:
    """Cut grey volumes (n, 12, side / 2, side / 2) around tracks, halved in size.

    Args:
        window: the frames of the tracks, from `halve`, 16 of them.
        xy: (n, 16, 2), pixels of the tracks' level.
        level: (n,).
        levels: of the frame.
        side: of the square, pixels of the level; it is moved to lie inside.
    """
    steps = np.arange(0, side, 2)
    volumes = np.empty((len(xy), VOLUME_FRAMES, len(steps), len(steps)), np.uint8)
    row = levels.widths[level]
    places = (row[:, None, None] * steps[:, None] + steps).reshape(len(xy), len(steps), len(steps))
    for number in range(VOLUME_FRAMES):
        left, top = levels.corners(xy[:, VOLUME_START + number], level, side)
        start = levels.starts[level] + top * row + left
        volumes[:, number] = np.take(window[VOLUME_START + number], start[:, None, None] + places)
    return volumes


def _humans(boxes: Boxes | None, frame: int) -> Floats:
    if boxes is None:
        return check_boxes(())
    if frame >= len(boxes):
        msg = f"boxes must be one list a frame, got {len(boxes)} lists for {frame + 1} frames or more"
        raise ValueError(msg)
    return check_boxes(boxes[frame])


def _check(frame: Any, shape: tuple[int, ...] | None, settings: Settings) -> None:
    """Refuse anything but a frame of a video whose frames had the `shape` so far."""
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim != 2:
        got = f"{frame.shape} {frame.dtype}" if isinstance(frame, np.ndarray) else type(frame).__name__
        msg = f"a frame must be (H, W) uint8 grey, got {got}"
        raise ValueError(msg)
    if shape is not None and frame.shape != shape:
        msg = f"frames must be of one size, got {shape} and {frame.shape}"
        raise ValueError(msg)
    if min(frame.shape) < settings.neighbourhood:
        msg = f"frames must be at least {settings.neighbourhood} pixels high and wide, got {frame.shape}"
        raise ValueError(msg)
