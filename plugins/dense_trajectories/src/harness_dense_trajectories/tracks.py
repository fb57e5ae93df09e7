"""Tracks being followed: new points, steps, and the tests that drop tracks."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import STEPS, Floats

Integers = NDArray[np.int64]


@dataclass(slots=True)
class LiveTracks:
    """Tracks of different ages, oldest first, in pixels of their levels."""

    points: Floats
    """(n, 16, 2), of which the first `age` + 1 are known."""
    displacement: Floats
    """(n, 15, 2): the steps without the camera's motion."""
    rows: Integers
    """(n, 15): which of the points described in each frame was the track's."""
    level: Integers
    age: Integers
    """(n,): steps so far."""

    @classmethod
    def start(cls, xy: Floats, level: Integers) -> LiveTracks:
        """Begin tracks at points (n, 2) of levels (n,)."""
        count = len(xy)
        points = np.zeros((count, STEPS + 1, 2), np.float32)
        points[:, 0] = xy
        empty = np.zeros((count, STEPS, 2), np.float32), np.zeros((count, STEPS), np.int64)
        return cls(points, *empty, level, np.zeros(count, np.int64))

    def __len__(self) -> int:
        return len(self.level)

    @property
    def xy(self) -> Floats:
        """Present points, (n, 2)."""
        return self.points[np.arange(len(self)), self.age]

    def step(self, flow: Floats, displacement: Floats) -> None:
        """Go on by the flow (n, 2), of which `displacement` (n, 2) is not the camera's."""
        every = np.arange(len(self))
        self.displacement[every, self.age] = displacement
        self.rows[every, self.age] = every
        self.points[every, self.age + 1] = self.points[every, self.age] + flow
        self.age = self.age + 1

    def __getitem__(self, chosen: NDArray[np.bool_] | slice) -> LiveTracks:
        return LiveTracks(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))

    def __add__(self, younger: LiveTracks) -> LiveTracks:
        pairs = ((getattr(self, field.name), getattr(younger, field.name)) for field in dataclasses.fields(self))
        return LiveTracks(*(np.concatenate(pair) for pair in pairs))


def sample_points(
    pictures: list[NDArray[np.uint8]], xy: Floats, level: Integers, levels: Levels, settings: Settings
) -> tuple[Floats, Integers]:
    """Sample the centres of textured grid cells without a track.

    A pixel is textured where the smaller eigenvalue of the structure tensor (blocks of 3 pixels, Shi and Tomasi 1994)
    exceeds a share of the level's largest.

    Args:
        pictures: grey, (h, w) for each level.
        xy: the points that are being followed, (m, 2), pixels of their level.
        level: their levels, (m,).
        levels: of the frame.
        settings: `stride` and `quality`.

    Returns:
        new points (n, 2), pixels of their level, and their levels (n,).
    """
    stride = settings.stride
    taken = np.zeros((len(levels), levels.heights[0] // stride + 1, levels.widths[0] // stride + 1), bool)
    cell_x, cell_y = (np.rint(xy.T) // stride).astype(np.int64)
    taken[level, cell_y, cell_x] = True
    points, numbers = [], []
    for number, picture in enumerate(pictures):
        texture = cv2.cornerMinEigenVal(picture, 3, ksize=3)
        rows, columns = (side // stride for side in picture.shape)
        middles = texture[stride // 2 :: stride, stride // 2 :: stride][:rows, :columns]
        free = (middles > settings.quality * np.max(texture)) & ~taken[number, :rows, :columns]
        y, x = np.nonzero(free)
        points.append(np.stack([x, y], 1) * stride + stride // 2)
        numbers.append(np.full(len(x), number))
    return np.concatenate(points).astype(np.float32), np.concatenate(numbers).astype(np.int64)


def is_valid(tracks: Floats, settings: Settings) -> NDArray[np.bool_]:
    """Test tracks, (n, points, 2) in pixels: not static, not random, no jump."""
    spread = tracks.std(1)
    steps = np.linalg.norm(np.diff(tracks, axis=1), axis=2)
    longest = steps.max(1, initial=0)
    static = (spread < settings.min_std).all(1)
    random = (spread > settings.max_std).any(1)
    jumps = (longest > settings.max_step) & (longest > settings.max_step_share * steps.sum(1))
    return np.asarray(~(static | random | jumps))


def has_own_motion(displacement: Floats, settings: Settings) -> NDArray[np.bool_]:
    """Test tracks' displacement, (n, steps, 2) in pixels, for a step not tiny."""
    return np.asarray(np.linalg.norm(displacement, axis=2).max(1, initial=0) > settings.min_motion)
