"""Which tracks are kept."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness_dense_trajectories.settings import Settings


def moves(tracks: NDArray[np.float32], settings: Settings) -> NDArray[np.bool_]:
    """Whether tracks (n, points, 2), pixels of the frame, are neither static, nor random, nor jump; (n,)."""
    spread = tracks.std(1)
    steps = np.linalg.norm(np.diff(tracks, axis=1), axis=2)
    longest = steps.max(1, initial=0)
    static = (spread < settings.min_std).all(1)
    random = (spread > settings.max_std).any(1)
    jumps = (longest > settings.max_step) & (longest > settings.max_step_share * steps.sum(1))
    return np.asarray(~(static | random | jumps))


def moves_by_itself(displacement: NDArray[np.float32], settings: Settings) -> NDArray[np.bool_]:
    """Whether steps (n, steps, 2), pixels of the frame less the camera's motion, are not all tiny; (n,)."""
    return np.asarray(np.linalg.norm(displacement, axis=2).max(1, initial=0) > settings.min_motion)
