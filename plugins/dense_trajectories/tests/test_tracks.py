"""New points on the grid, and tracks that are dropped."""

from __future__ import annotations

import numpy as np
import pytest

from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tracks import has_own_motion, is_valid, sample_points


def sampled(picture, taken=(), settings=None):
    levels = Levels.of(picture.shape[1], picture.shape[0], 1, 2**0.5, 32)
    xy = np.array(taken, np.float32).reshape(-1, 2)
    return sample_points([picture], xy, np.zeros(len(xy), np.int64), levels, settings or Settings())


def test_every_cell_of_texture_gets_its_middle():
    noise = np.random.default_rng(0).integers(0, 256, (43, 52), np.uint8)
    xy, level = sampled(noise)
    assert {tuple(point) for point in xy.tolist()} == {(5 * i + 2, 5 * j + 2) for i in range(10) for j in range(8)}
    assert not level.any()


def test_cells_with_a_track_get_none():
    noise = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    xy, _ = sampled(noise, taken=[(0, 0), (9.4, 4.4), (9.6, 0), (49, 39)])
    missing = {(5 * i + 2, 5 * j + 2) for i in range(10) for j in range(8)} - {tuple(point) for point in xy.tolist()}
    assert missing == {(2, 2), (7, 2), (12, 2), (47, 37)}


def test_edges_and_plain_areas_are_no_texture():
    picture = np.full((60, 60), 100, np.uint8)
    picture[:, 30:] = 200
    picture[5:20, 5:20] = np.random.default_rng(0).integers(0, 256, (15, 15))
    xy, _ = sampled(picture)
    assert len(xy) >= 9
    assert xy.max() < 24
    assert len(sampled(np.full((60, 60), 7, np.uint8))[0]) == 0


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
    assert is_valid(track[None].astype(np.float32), Settings()).tolist() == [kept]


def test_one_step_of_more_than_a_pixel_is_enough():
    displacement = np.zeros((3, 15, 2), np.float32)
    displacement[0] = 0.7
    displacement[1, 4] = (0.6, -0.9)
    displacement[2, 4] = (1, 0)
    assert has_own_motion(displacement, Settings()).tolist() == [False, True, False]
