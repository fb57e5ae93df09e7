"""Scales of a frame in flat arrays."""

from __future__ import annotations

import numpy as np
import pytest

from harness_dense_trajectories.levels import Levels


@pytest.fixture
def levels():
    return Levels.of(320, 240, 8, 2**0.5, 32)


def test_levels_end_before_the_neighbourhood_no_longer_fits(levels):
    assert levels.widths.tolist() == [320, 226, 160, 113, 80, 57]
    assert levels.heights.tolist() == [240, 170, 120, 85, 60, 42]
    assert len(Levels.of(320, 240, 2, 2**0.5, 32)) == 2
    assert len(Levels.of(31, 240, 8, 2**0.5, 32)) == 0


def test_flat_flow_is_in_pixels_of_each_level(levels):
    flow = np.full((240, 320, 2), (3.0, -2.0), np.float32)
    flat = levels.flat_flow(flow)
    for (place, (height, width)), factor in zip(levels.parts, levels.factor, strict=True):
        assert place.stop - place.start == height * width
        np.testing.assert_allclose(flat[:, place].T * factor, np.broadcast_to((3, -2), (height * width, 2)), rtol=1e-5)


def test_a_place_in_the_frame_is_the_same_at_every_level(levels):
    """A ramp has its values at the same places of a level and of the frame."""
    ramp = np.add.outer(np.arange(240) * 0.5, np.arange(320)).astype(np.float32)
    pictures = levels.pyramid(ramp)
    flat = np.concatenate([picture.ravel() for picture in pictures])
    numbers = np.arange(6)
    xy = np.full((6, 2), (20, 25), np.float32)
    x, y = levels.in_frame(xy[:, None], numbers)[:, 0].T
    np.testing.assert_allclose(flat[levels.pixels(xy, numbers)], x + 0.5 * y, atol=1e-2)


def test_pixels_are_the_nearest_and_squares_lie_inside(levels):
    xy = np.array([[-3, 500], [10.6, 9.4]], np.float32)
    last = np.array([5, 1])
    assert levels.pixels(xy, last).tolist() == [levels.starts[5] + 41 * 57, levels.starts[1] + 9 * 226 + 11]
    left, top = levels.corners(xy, last, 32)
    assert (left.tolist(), top.tolist()) == ([0, 0], [10, 0])
    assert levels.inside(np.array([[0, 0], [56, 41], [56.1, 3], [-0.1, 3]], np.float32), np.full(4, 5)).tolist() == [
        True,
        True,
        False,
        False,
    ]
