"""New points on the grid."""

from __future__ import annotations

import numpy as np

from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.sampling import sample
from harness_dense_trajectories.settings import Settings


def sampled(picture, taken=(), settings=None):
    levels = Levels.of(picture.shape[1], picture.shape[0], 1, 2**0.5, 32)
    xy = np.array(taken, np.float32).reshape(-1, 2)
    return sample([picture], xy, np.zeros(len(xy), np.int64), levels, settings or Settings())


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
