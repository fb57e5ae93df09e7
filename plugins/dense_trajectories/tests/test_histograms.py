"""Histograms beside a direct twin that goes from pixel to pixel."""

from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest

from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.histograms import Histograms
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.motion import OpticalFlow
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import COLUMNS

BINS = {"hog": 8, "hof": 9, "mbh_x": 8, "mbh_y": 8}


def smooth(height, width, seed, scale):
    noise = np.random.default_rng(seed).normal(size=(height, width)).astype(np.float32)
    field = cv2.GaussianBlur(noise, (0, 0), 3)
    return field / field.std() * scale


def slope(picture, y, x):
    """Central difference without its half; 0 across a border that mirrors."""
    height, width = picture.shape
    across = float(picture[y, x + 1]) - float(picture[y, x - 1]) if 0 < x < width - 1 else 0.0
    down = float(picture[y + 1, x]) - float(picture[y - 1, x]) if 0 < y < height - 1 else 0.0
    return across, down


def direct(vector, point, size, bins):
    """Root of the normalised histogram of `vector(y, x)` around a point."""
    height, width = size
    left = min(max(int(np.rint(point[0])) - 16, 0), width - 32)
    top = min(max(int(np.rint(point[1])) - 16, 0), height - 32)
    histogram = np.zeros((2, 2, bins))
    for y in range(top, top + 32):
        for x in range(left, left + 32):
            across, down = vector(y, x)
            cell = histogram[(x - left) // 16, (y - top) // 16]
            length = math.hypot(across, down)
            if bins == 9 and length <= 0.4:
                cell[8] += 1
                continue
            angle = math.atan2(down, across) % (2 * math.pi) / (2 * math.pi) * 8
            first = int(angle)
            cell[first % 8] += length * (1 - (angle - first))
            cell[(first + 1) % 8] += length * (angle - first)
    histogram += 0.05
    return np.sqrt(histogram / histogram.sum()).ravel()


def twin(picture, flow, point):
    size = picture.shape
    return {
        "hog": direct(lambda y, x: slope(picture, y, x), point, size, 8),
        "hof": direct(lambda y, x: flow[y, x], point, size, 9),
        "mbh_x": direct(lambda y, x: slope(flow[..., 0], y, x), point, size, 8),
        "mbh_y": direct(lambda y, x: slope(flow[..., 1], y, x), point, size, 8),
    }


def test_equal_to_a_direct_twin_at_every_level():
    levels = Levels.of(96, 70, 8, 2**0.5, 32)
    pictures = [(smooth(h, w, n, 50) + 128).clip(0, 255).astype(np.uint8) for n, (_, (h, w)) in enumerate(levels.parts)]
    flows = [
        np.stack([smooth(h, w, 10 + n, 0.5), smooth(h, w, 20 + n, 0.4)], -1)
        for n, (_, (h, w)) in enumerate(levels.parts)
    ]
    flat = np.concatenate([flow.reshape(-1, 2) for flow in flows]).T.copy()
    xy = np.array([[40.4, 30.6], [3, 66], [95, 0], [33.2, 21], [10, 47], [20, 20.5]], np.float32)
    level = np.array([0, 0, 0, 1, 1, 2])
    rows = Histograms(levels, Settings())(pictures, flat, xy, level)
    assert rows.shape == (6, 132)
    for row, point, number in zip(rows, xy, level, strict=True):
        expected = np.concatenate(list(twin(pictures[number], flows[number], point).values()))
        np.testing.assert_allclose(row, expected, atol=2e-3)


@pytest.mark.parametrize(("width", "height"), [(336, 256), (1920, 1080)])
def test_what_lies_around_a_point_is_described_alike_wherever_it_lies(width, height):
    random = np.random.default_rng(0)
    patch = random.integers(100, 140, (64, 64)).astype(np.uint8)
    patch_flow = random.normal(0, 0.5, (2, 64, 64)).astype(np.float32)
    small = Histograms(Levels.of(64, 64, 1, 2**0.5, 32), Settings())
    expected = small([patch], patch_flow.reshape(2, -1), np.array([[32, 32.0]], np.float32), np.array([0]))
    frame = random.integers(0, 256, (height, width)).astype(np.uint8)
    flow = random.normal(0, 8, (2, height, width)).astype(np.float32)
    frame[-64:, -64:], flow[:, -64:, -64:] = patch, patch_flow
    large = Histograms(Levels.of(width, height, 1, 2**0.5, 32), Settings())
    point = np.array([[width - 32, height - 32.0]], np.float32)
    described = large([frame], flow.reshape(2, -1), point, np.array([0]))
    np.testing.assert_allclose(described, expected, atol=1e-4)


def test_the_zero_bin_holds_what_stands_still():
    levels = Levels.of(64, 64, 1, 2**0.5, 32)
    flow = np.zeros((2, 64 * 64), np.float32)
    flow[0] = 0.4
    still = Histograms(levels, Settings())(
        [np.zeros((64, 64), np.uint8)], flow, np.array([[32, 32.0]], np.float32), np.array([0])
    )
    hof = still[0, 32:68].reshape(4, 9)
    np.testing.assert_allclose(hof[:, 8], np.sqrt(256.05 / (4 * 256 + 36 * 0.05)), rtol=1e-5)
    np.testing.assert_allclose(still[0, :32], np.sqrt(1 / 32), rtol=1e-5)  # of nothing, evenly
    flow[0] = 0.41
    moving = Histograms(levels, Settings())(
        [np.zeros((64, 64), np.uint8)], flow, np.array([[32, 32.0]], np.float32), np.array([0])
    )
    assert (moving[0, 32:68].reshape(4, 9).argmax(1) == 0).all()


@pytest.mark.parametrize(("degrees", "bin_"), [(0, 0), (45, 1), (90, 2), (180, 4), (270, 6), (315, 7)])
def test_bins_go_from_right_to_down(degrees, bin_):
    levels = Levels.of(32, 32, 1, 2**0.5, 32)
    flow = 3 * np.array([[math.cos(math.radians(degrees))], [math.sin(math.radians(degrees))]], np.float32)
    flat = np.repeat(flow, 32 * 32, 1)
    row = Histograms(levels, Settings())(
        [np.zeros((32, 32), np.uint8)], flat, np.array([[16, 16.0]], np.float32), np.array([0])
    )
    hof = row[0, 32:68].reshape(4, 9)
    assert (hof.argmax(1) == bin_).all()
    np.testing.assert_allclose(hof[:, bin_], 0.5, atol=5e-3)


def test_rows_are_means_over_five_frames_along_the_track():
    base = (smooth(110, 130, 0, 55) + 128).clip(0, 255).astype(np.uint8)
    video = np.stack(
        [cv2.warpAffine(base, np.array([[1, 0.0, 1.3 * t - 20], [0, 1, -0.8 * t - 4]]), (64, 64)) for t in range(16)]
    )
    settings = Settings(levels=1, compensate=False)
    trajectories = extract(video, settings)
    flow = OpticalFlow(settings, 1)
    flows = [flow(*pair) for pair in itertools.pairwise(video)]
    for number in (0, len(trajectories.tracks) // 2):
        frames = [twin(video[t], flows[t], trajectories.tracks[number, t]) for t in range(15)]
        for name, bins in BINS.items():
            expected = np.stack([frame[name] for frame in frames]).reshape(3, 5, 4 * bins).mean(1).ravel()
            np.testing.assert_allclose(trajectories.table[number, COLUMNS[name]], expected, atol=2e-3)
