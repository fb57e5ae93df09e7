"""Volumes that follow a track."""

from __future__ import annotations

import numpy as np

from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.volumes import halved, volumes


def test_equal_to_a_direct_twin():
    random = np.random.default_rng(0)
    levels = Levels.of(80, 60, 8, 2**0.5, 32)
    window = [[random.integers(0, 256, size).astype(np.uint8) for _, size in levels.parts] for _ in range(16)]
    xy = random.uniform(0, 41, (5, 16, 2)).astype(np.float32)
    level = np.array([0, 1, 1, 0, 0])
    found = volumes([halved(pictures) for pictures in window], xy, level, levels, 32)
    assert found.shape == (5, 12, 16, 16)
    for track in range(5):
        height, width = levels.parts[level[track]][1]
        for number in range(12):
            x, y = np.rint(xy[track, number + 2]).astype(int) - 16
            x, y = min(max(x, 0), width - 32), min(max(y, 0), height - 32)
            square = window[number + 2][level[track]][y : y + 32, x : x + 32].astype(float)
            expected = (square[::2, ::2] + square[1::2, ::2] + square[::2, 1::2] + square[1::2, 1::2]) / 4
            assert np.abs(found[track, number] - expected).max() <= 0.5


def test_a_moving_texture_stands_still_in_its_volumes():
    texture = np.kron(np.random.default_rng(0).integers(0, 256, (40, 40)), np.ones((6, 6))).astype(np.uint8)
    video = np.stack([texture[20 + t : 148 + t, 80 - 2 * t : 208 - 2 * t] for t in range(16)])
    found = extract(video, Settings(levels=1, compensate=False), volumes=True)
    inside = ((found.tracks > 17) & (found.tracks < 110)).all((1, 2))
    spread = found.volumes[inside].std(1).mean((1, 2))
    assert inside.sum() > 50
    assert np.median(spread) < 0.2 * video.std(0).mean()
    assert extract(video[:17]).volumes is None
