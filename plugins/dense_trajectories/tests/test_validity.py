"""Which tracks are dropped."""

from __future__ import annotations

import numpy as np
import pytest

from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.validity import moves, moves_by_itself


def straight(step_x, step_y):
    return np.arange(16, dtype=np.float32)[:, None] * np.array([step_x, step_y], np.float32)


def jump(far):
    track = straight(0.5, 0)
    track[8:, 0] += far
    return track


@pytest.mark.parametrize(
    ("track", "kept"),
    [
        (straight(0, 0), False),
        (straight(0.37, 0.37), False),  # std 1.706
        (straight(0.38, 0), True),  # 1.752, and sqrt 3 is 1.732
        (straight(0, 0.38), True),
        (straight(10.8, 0), True),  # 49.8
        (straight(10.9, 0), False),  # 50.2
        (straight(0, -10.9), False),
        (jump(19), True),  # long for the track, but under 20 pixels
        (jump(25), False),
        (straight(1, 0) + np.repeat([[0, 0], [21, 0]], 8, 0), True),  # 22 of 36 pixels
    ],
)
def test_static_random_and_jumping_tracks_are_dropped(track, kept):
    assert moves(track[None].astype(np.float32), Settings()).tolist() == [kept]


def test_one_step_of_more_than_a_pixel_is_enough():
    displacement = np.zeros((3, 15, 2), np.float32)
    displacement[0] = 0.7
    displacement[1, 4] = (0.6, -0.9)
    displacement[2, 4] = (1, 0)
    assert moves_by_itself(displacement, Settings()).tolist() == [False, True, False]
