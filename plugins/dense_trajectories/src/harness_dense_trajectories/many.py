"""Trajectories of many videos, followed on the CPU and described on CUDA."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from harness_dense_trajectories.boxes import Boxes
from harness_dense_trajectories.extract import Frame, Tracker, track
from harness_dense_trajectories.histograms import FRAME_WIDTH, Histograms
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tracks import LiveTracks
from harness_dense_trajectories.trajectories import STEPS, Floats, Trajectories, span
from harness_dense_trajectories.tubes import describe

PIXELS = 2**26
"""Pixels of frames, at all levels, described together; each takes nine bytes."""


def extract_many(
    videos: Iterable[Iterable[Frame]],
    settings: Settings | None = None,
    *,
    boxes: Iterable[Boxes | None] | None = None,
    device: torch.device | str,
) -> list[Trajectories]:
    """Extract trajectories as `extract` does, with histograms from a device.

    They differ from those of `extract` by what it rounds in its sums: by 1e-4 in frames of 64 pixels, by up to 1e-2
    around points of little texture in those of 240 x 320, and by 1e-4 again in larger ones, whose sums are of double
    precision. All else is equal. The flow of a whole video is held until it is described, 80 MB for 60 frames of
    240 x 320.

    Args:
        videos: each (T, H, W) uint8 grey, or an iterable of such frames (H, W); of one size or another.
        settings: the original's, by default.
        boxes: for each video as for `extract`, or None.
        device: that the tubes are described on; on "cpu" `extract` is several times as fast.

    Raises:
        ValueError: when frames are not grey uint8, differ in size within a video, or are smaller than the
            neighbourhood (32 pixels), or there are not as many lists of boxes as frames.
    """
    settings = settings or Settings()
    extracted: list[Trajectories] = []
    waiting: list[_DeferredTracker] = []
    for frames, around in zip(videos, itertools.repeat(None) if boxes is None else boxes, strict=boxes is not None):
        waiting.append(track(frames, around, settings, functools.partial(_DeferredTracker, settings=settings)))
        if sum(tracker.pixels for tracker in waiting) > PIXELS:
            extracted += _describe_all(waiting, settings, torch.device(device))
            waiting = []
    return extracted + _describe_all(waiting, settings, torch.device(device))


class _HistogramInputs(Histograms):
    """Recorder of pictures and flow in place of `Histograms`."""

    def __init__(self) -> None:
        self.pictures: list[list[NDArray[np.uint8]]] = []
        self.flow: list[Floats] = []

    def __call__(self, pictures: list[NDArray[np.uint8]], flow: Floats, xy: Floats, level: NDArray[np.int64]) -> Floats:
        """Record pictures and flow; zeros (n, 132)."""
        self.pictures.append(pictures)
        self.flow.append(flow)
        return np.broadcast_to(np.float32(0), (len(xy), FRAME_WIDTH))


class _DeferredTracker(Tracker):
    """Tracker that keeps pictures and flow for histograms, and leaves these empty."""

    def __init__(self, shape: tuple[int, ...], settings: Settings) -> None:
        super().__init__(shape, settings, with_volumes=False)
        self._histograms = self._inputs = _HistogramInputs()
        self._ended: list[LiveTracks] = [self._live]
        self._start: list[int] = []

    @property
    def pixels(self) -> int:
        """Pixels of all frames and levels."""
        return len(self._inputs.flow) * int(self._levels.starts[-1])

    def sizes(self) -> list[tuple[int, int]]:
        """(h, w) of each level."""
        return [size for _, size in self._levels.parts]

    def frames(self, level: int) -> tuple[Tensor, Tensor]:
        """Pictures (F, h, w) and flow (F, 2, h, w) at a level."""
        place, size = self._levels.parts[level]
        pictures = np.stack([pictures[level] for pictures in self._inputs.pictures])
        flow = np.stack([flow[:, place].reshape(2, *size) for flow in self._inputs.flow])
        return torch.from_numpy(pictures), torch.from_numpy(flow)

    def tracks(self, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Rows, first frames (n,) and points (n, 15, 2) of the tracks of a level."""
        numbers = np.concatenate([ended.level for ended in self._ended])
        rows = np.flatnonzero(numbers == level)
        points = np.concatenate([ended.points for ended in self._ended])[rows, :STEPS]
        start = np.repeat(np.array([0, *self._start]), [len(ended) for ended in self._ended])[rows]
        return rows, start, points

    def _keep(self, ended: LiveTracks, tracks: Floats, displacement: Floats) -> None:
        super()._keep(ended, tracks, displacement)
        self._ended.append(ended)
        self._start.append(self._number - STEPS)


def _describe_all(trackers: Sequence[_DeferredTracker], settings: Settings, device: torch.device) -> list[Trajectories]:
    extracted = [tracker.result() for tracker in trackers]  # but for the histograms
    of_size: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for video, tracker in enumerate(trackers):
        for level, size in enumerate(tracker.sizes()):
            of_size[size].append((video, level))
    for members in of_size.values():
        parts: list[tuple[Tensor, ...]] = []
        targets = []
        before = 0
        for video, level in members:
            rows, first, places = trackers[video].tracks(level)
            if len(rows):
                frames = trackers[video].frames(level)
                parts.append((*frames, torch.from_numpy(first + before), torch.from_numpy(places)))
                targets.append((extracted[video].table, rows))
                before += len(frames[0])
        if parts:
            pictures, flow, start, points = (
                torch.cat([part.to(device) for part in each]) for each in zip(*parts, strict=True)
            )
            described = describe(pictures, flow, start, points, settings).cpu().numpy()
            ends = np.cumsum([len(rows) for _, rows in targets])
            for (table, rows), part in zip(targets, np.split(described, ends[:-1]), strict=True):
                table[rows, span("hog", "mbh_y")] = part
    return extracted
