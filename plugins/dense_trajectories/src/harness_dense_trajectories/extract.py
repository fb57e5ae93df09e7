"""Improved dense trajectories of a video (Wang and Schmid 2013)."""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories import table, validity
from harness_dense_trajectories.boxes import Boxes, checked
from harness_dense_trajectories.camera import Camera
from harness_dense_trajectories.columns import STEPS, WIDTH
from harness_dense_trajectories.flow import Compensation, FlowBetween
from harness_dense_trajectories.histograms import Histograms
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.live import Live
from harness_dense_trajectories.sampling import sample
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import Trajectories
from harness_dense_trajectories.volumes import FRAMES, halved, volumes

__all__ = ["Trajectories", "Walk", "extract", "walked"]

Frame = NDArray[np.uint8]
W = TypeVar("W", bound="Walk")


def extract(
    frames: Iterable[Frame],
    settings: Settings | None = None,
    *,
    boxes: Boxes | None = None,
    volumes: bool = False,
) -> Trajectories:
    """The trajectories of a video, frame by frame, in memory that does not grow but by what is found.

    Points are sampled on a grid at up to 8 scales, followed for 15 frames by the flow, and described by HOG, HOF and
    MBH around them; the camera's motion, a homography between consecutive frames, is taken out of HOF, MBH and shape.
    Static and wildly jumping tracks are dropped, and those that only the camera moved. Videos of under 16 frames have
    none, nor do those without texture or motion.

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
    return walked(frames, boxes, settings, functools.partial(Walk, settings=settings, with_volumes=volumes)).found()


def walked(
    frames: Iterable[Frame], boxes: Boxes | None, settings: Settings, begin: Callable[[tuple[int, ...]], W]
) -> W:
    """The walk that `begin` makes for frames of the size (H, W) of the first, when it has been shown all of them.

    Raises:
        ValueError: as in `extract`.
    """
    walk: W | None = None
    count = 0
    for count, frame in enumerate(frames, 1):
        _check(frame, walk.shape if walk else None, settings)
        walk = walk or begin(frame.shape)
        walk.show(frame.copy(order="C"), _humans(boxes, count - 1))
    if boxes is not None and len(boxes) > count:
        msg = f"boxes must be one list a frame, got {len(boxes)} lists for {count} frames"
        raise ValueError(msg)
    return walk or begin((0, 0))


class Walk:
    """Trajectories of frames of one size, shown one after the other."""

    def __init__(self, shape: tuple[int, ...], settings: Settings, *, with_volumes: bool) -> None:
        self.shape = shape
        height, width = shape
        side = settings.neighbourhood
        self._levels = levels = Levels.of(width, height, settings.levels, settings.level_factor, side)
        self._settings = settings
        self._flow = FlowBetween(settings, len(levels))
        self._camera, self._compensation = Camera(settings), Compensation(width, height)
        self._histograms = Histograms(levels, settings) if len(levels) else None
        self._live = Live.born(np.empty((0, 2), np.float32), np.empty(0, np.int64))
        self._described: deque[NDArray[np.float32]] = deque(maxlen=STEPS)
        self._halved: deque[Frame] | None = deque(maxlen=STEPS + 1) if with_volumes else None
        self._number = -1
        self._before: list[Frame] = []
        self._parts: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        self._removed: list[tuple[NDArray[np.float32], NDArray[np.int64]]] = []
        self._volumes: list[NDArray[np.uint8]] = []

    def show(self, frame: Frame, humans: NDArray[np.float32]) -> None:
        """Follow the tracks into the next frame, end those that are complete, begin new ones."""
        self._number += 1
        pictures = self._levels.pyramid(frame)
        if self._halved is not None:
            self._halved.append(halved(pictures))
        if self._settings.compensate:
            self._camera.show(frame, humans)
        if self._before:
            self._follow(frame)
            self._end()
        if self._number % self._settings.gap == 0:
            new = sample(pictures, self._live.xy, self._live.level, self._levels, self._settings)
            self._live = self._live + Live.born(*new)
        self._before = pictures

    def found(self) -> Trajectories:
        """Everything, of the frames that were shown."""
        rows = np.concatenate([np.empty((0, WIDTH), np.float32), *(rows for rows, _ in self._parts)])
        none = np.empty((0, STEPS + 1, 2), np.float32)
        tracks = np.concatenate([none, *(tracks for _, tracks in self._parts)])
        table.finish(rows, self.shape[1], self.shape[0], self._number + 1)
        side = self._settings.neighbourhood // 2
        cut = np.concatenate([np.empty((0, FRAMES, side, side), np.uint8), *self._volumes])
        return Trajectories(
            table=rows,
            tracks=tracks,
            frame=rows[:, 0].astype(np.int64) - STEPS,
            removed=np.concatenate([none, *(tracks for tracks, _ in self._removed)]),
            removed_frame=np.concatenate([np.empty(0, np.int64), *(frame for _, frame in self._removed)]),
            volumes=cut if self._halved is not None else None,
        )

    def _follow(self, frame: Frame) -> None:
        assert self._histograms is not None
        levels, live = self._levels, self._live
        flow = self._flow(self._before[0], frame)
        by_level = own = levels.flat_flow(flow)
        homography = self._camera.motion(flow) if self._settings.compensate else None
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
        kept = validity.moves(tracks, self._settings)
        ended, tracks = ended[kept], tracks[kept]
        displacement = ended.displacement * self._levels.factor[ended.level][:, None]
        if self._settings.compensate:
            kept = validity.moves_by_itself(displacement, self._settings)
            start = np.full((~kept).sum(), self._number - STEPS, np.int64)
            self._removed.append((tracks[~kept], start))
            ended, tracks, displacement = ended[kept], tracks[kept], displacement[kept]
        if len(tracks):
            self._keep(ended, tracks, displacement)

    def _keep(self, ended: Live, tracks: NDArray[np.float32], displacement: NDArray[np.float32]) -> None:
        """Put what has passed every test into the table."""
        histograms = table.described(self._described, ended.rows)
        scale = self._levels.nominal[ended.level]
        self._parts.append((table.table(tracks, displacement, scale, self._number, histograms), tracks))
        if self._halved is not None:
            side = self._settings.neighbourhood
            self._volumes.append(volumes(self._halved, ended.points, ended.level, self._levels, side))


def _humans(boxes: Boxes | None, frame: int) -> NDArray[np.float32]:
    if boxes is None:
        return checked(())
    if frame >= len(boxes):
        msg = f"boxes must be one list a frame, got {len(boxes)} lists for {frame + 1} frames or more"
        raise ValueError(msg)
    return checked(boxes[frame])


def _check(frame: Any, shape: tuple[int, ...] | None, settings: Settings) -> None:
    """Refuse what is no frame of a video whose frames had the `shape` so far."""
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
