"""The tracks that are being followed."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.columns import STEPS

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]


@dataclass(slots=True)
class Live:
    """Tracks of one length of life or another, oldest first, in pixels of their levels."""

    points: Floats
    """(n, 16, 2), of which the first `age` + 1 are known."""
    displacement: Floats
    """(n, 15, 2): the steps, less the camera's motion."""
    rows: Integers
    """(n, 15): which of the points described in each frame was the track's."""
    level: Integers
    age: Integers
    """(n,): steps so far."""

    @classmethod
    def born(cls, xy: Floats, level: Integers) -> Live:
        """Tracks that begin at points (n, 2) of levels (n,)."""
        count = len(xy)
        points = np.zeros((count, STEPS + 1, 2), np.float32)
        points[:, 0] = xy
        empty = np.zeros((count, STEPS, 2), np.float32), np.zeros((count, STEPS), np.int64)
        return cls(points, *empty, level, np.zeros(count, np.int64))

    def __len__(self) -> int:
        return len(self.level)

    @property
    def xy(self) -> Floats:
        """Where the tracks are now, (n, 2)."""
        return self.points[np.arange(len(self)), self.age]

    def step(self, flow: Floats, displacement: Floats) -> None:
        """Go on by the flow (n, 2); `displacement` (n, 2) is what is not the camera's."""
        every = np.arange(len(self))
        self.displacement[every, self.age] = displacement
        self.rows[every, self.age] = every
        self.points[every, self.age + 1] = self.points[every, self.age] + flow
        self.age = self.age + 1

    def __getitem__(self, chosen: NDArray[np.bool_] | slice) -> Live:
        return Live(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))

    def __add__(self, younger: Live) -> Live:
        pairs = ((getattr(self, field.name), getattr(younger, field.name)) for field in dataclasses.fields(self))
        return Live(*(np.concatenate(pair) for pair in pairs))
