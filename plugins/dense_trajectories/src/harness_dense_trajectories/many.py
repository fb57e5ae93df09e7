"""Improved dense trajectories of many videos: followed on the CPU, described together on a device."""

from __future__ import annotations

import functools
import itertools
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from harness_dense_trajectories.boxes import Boxes
from harness_dense_trajectories.columns import STEPS, span
from harness_dense_trajectories.extract import Frame, Walk, walked
from harness_dense_trajectories.histograms import FRAME_WIDTHS, Floats, Histograms
from harness_dense_trajectories.live import Live
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import Trajectories
from harness_dense_trajectories.tubes import describe

PIXELS = 2**26
"""Of the frames, at all levels, that wait to be described together; each takes nine bytes."""
_HISTOGRAMS = span("hog", "mbh_y")


def extract_many(
    videos: Iterable[Iterable[Frame]],
    settings: Settings | None = None,
    *,
    boxes: Iterable[Boxes | None] | None = None,
    device: torch.device | str,
) -> list[Trajectories]:
    """The trajectories of videos as `extract` gives them, with the histograms computed on a device.

    They differ from those of `extract` by what it rounds in its sums: by 1e-4 in frames of 64 pixels, and in the
    emptiest bins of larger ones by up to 5e-3. All else is equal. The flow of a whole video is held until it is
    described, 80 MB for 60 frames of 240 x 320.

    Args:
        videos: each (T, H, W) uint8 grey, or an iterable of such frames (H, W); of one size or another.
        settings: the original's, by default.
        boxes: for each video as for `extract`, or None.
        device: that the tubes are described on.

    Raises:
        ValueError: when frames are not grey uint8, differ in size within a video, or are smaller than the
            neighbourhood (32 pixels), or there are not as many lists of boxes as frames.
    """
    settings = settings or Settings()
    found: list[Trajectories] = []
    waiting: list[_Followed] = []
    for frames, around in zip(videos, itertools.repeat(None) if boxes is None else boxes, strict=boxes is not None):
        waiting.append(walked(frames, around, settings, functools.partial(_Followed, settings=settings)))
        if sum(walk.pixels for walk in waiting) > PIXELS:
            found += _described(waiting, settings, torch.device(device))
            waiting = []
    return found + _described(waiting, settings, torch.device(device))


def on_cuda(device: str) -> bool:
    """Whether tubes are described on a device, and not by `extract`.

    >>> on_cuda("cuda:1"), on_cuda("cpu")
    (True, False)
    """
    return torch.device(device).type == "cuda"


class _Seen(Histograms):
    """Stands in for histograms: keeps what they are made of."""

    def __init__(self) -> None:
        self.pictures: list[list[NDArray[np.uint8]]] = []
        self.flow: list[Floats] = []

    def __call__(self, pictures: list[NDArray[np.uint8]], flow: Floats, xy: Floats, level: NDArray[np.int64]) -> Floats:
        """Nothing, (n, 132)."""
        self.pictures.append(pictures)
        self.flow.append(flow)
        return np.broadcast_to(np.float32(0), (len(xy), sum(FRAME_WIDTHS.values())))


class _Followed(Walk):
    """Tracks of a video, without their histograms, and all that these are made of."""

    def __init__(self, shape: tuple[int, ...], settings: Settings) -> None:
        super().__init__(shape, settings, with_volumes=False)
        self._histograms = self._seen = _Seen()
        self._ended: list[Live] = [self._live]
        self._start: list[int] = []

    @property
    def pixels(self) -> int:
        """Of all frames and levels."""
        return len(self._seen.flow) * int(self._levels.starts[-1])

    def sizes(self) -> list[tuple[int, int]]:
        """(h, w) of each level."""
        return [size for _, size in self._levels.parts]

    def frames(self, level: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pictures (F, h, w) and flow (F, 2, h, w) at a level."""
        place, size = self._levels.parts[level]
        pictures = np.stack([pictures[level] for pictures in self._seen.pictures])
        flow = np.stack([flow[:, place].reshape(2, *size) for flow in self._seen.flow])
        return torch.from_numpy(pictures), torch.from_numpy(flow)

    def tracks(self, level: int) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
        """Of a level's tracks the rows, first frames (n,) and points (n, 15, 2)."""
        numbers = np.concatenate([ended.level for ended in self._ended])
        rows = np.flatnonzero(numbers == level)
        points = np.concatenate([ended.points for ended in self._ended])[rows, :STEPS]
        start = np.repeat(np.array([0, *self._start]), [len(ended) for ended in self._ended])[rows]
        return rows, start, points

    def _keep(self, ended: Live, tracks: Floats, displacement: Floats) -> None:
        super()._keep(ended, tracks, displacement)
        self._ended.append(ended)
        self._start.append(self._number - STEPS)


def _described(walks: Sequence[_Followed], settings: Settings, device: torch.device) -> list[Trajectories]:
    found = [walk.found() for walk in walks]  # but for the histograms
    of_size: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for video, walk in enumerate(walks):
        for level, size in enumerate(walk.sizes()):
            of_size[size].append((video, level))
    for members in of_size.values():
        parts: list[tuple[torch.Tensor, ...]] = []
        targets = []
        before = 0
        for video, level in members:
            rows, first, places = walks[video].tracks(level)
            if len(rows):
                frames = walks[video].frames(level)
                parts.append((*frames, torch.from_numpy(first + before), torch.from_numpy(places)))
                targets.append((found[video].table, rows))
                before += len(frames[0])
        if parts:
            pictures, flow, start, points = (
                torch.cat([part.to(device) for part in each]) for each in zip(*parts, strict=True)
            )
            described = describe(pictures, flow, start, points, settings).cpu().numpy()
            ends = np.cumsum([len(rows) for _, rows in targets])
            for (table, rows), part in zip(targets, np.split(described, ends[:-1]), strict=True):
                table[rows, _HISTOGRAMS] = part
    return found
