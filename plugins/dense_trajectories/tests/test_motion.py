"""Homographies between frames whose camera is known, and flow without them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from harness_dense_trajectories.motion import Camera, Compensation
from harness_dense_trajectories.settings import Settings

PHOTOGRAPH = cv2.cvtColor(load_sample_image("china.jpg"), cv2.COLOR_RGB2GRAY)
NOBODY = np.empty((0, 4), np.float32)
HEIGHT, WIDTH = 240, 320
MOTION = np.array([[1.02, 0.01, 4], [-0.012, 1.01, -7], [2e-5, -1e-5, 1]])
GRID = np.stack(np.meshgrid(np.arange(0, WIDTH, 40.0), np.arange(0, HEIGHT, 40.0)), -1)


def frames():
    scene = np.array([[1, 0, -150], [0, 1, -90], [0, 0, 1.0]])
    return [cv2.warpPerspective(PHOTOGRAPH, move @ scene, (WIDTH, HEIGHT)) for move in (np.eye(3), MOTION)]


def shown(first, second, settings=None, humans=NOBODY):
    camera = Camera(settings or Settings())
    camera.add_frame(first, humans)
    camera.add_frame(second, humans)
    return camera


def true_flow():
    place = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).astype(np.float32)
    return cv2.perspectiveTransform(place, MOTION) - place


@pytest.mark.parametrize("detector", ["orb", "sift"])
def test_key_points_alone_find_the_motion(detector):
    settings = Settings(detector=detector, corners=1)
    homography = shown(*frames(), settings).homography(np.full((HEIGHT, WIDTH, 2), 30, np.float32))
    difference = cv2.perspectiveTransform(GRID, homography) - cv2.perspectiveTransform(GRID, MOTION)
    assert np.linalg.norm(difference, axis=-1).max() < 2


def test_flow_alone_finds_the_motion():
    first, _ = frames()
    other = np.full((HEIGHT, WIDTH), 90, np.uint8)  # without key points
    homography = shown(first, other).homography(true_flow())
    difference = cv2.perspectiveTransform(GRID, homography) - cv2.perspectiveTransform(GRID, MOTION)
    assert np.linalg.norm(difference, axis=-1).max() < 0.05


def test_no_texture_is_no_motion():
    plain = np.full((HEIGHT, WIDTH), 90, np.uint8)
    assert shown(plain, plain).homography(true_flow()) is None


def test_contradicting_matches_are_no_motion():
    first, _ = frames()
    flow = np.random.default_rng(0).uniform(-60, 60, (HEIGHT, WIDTH, 2)).astype(np.float32)
    assert shown(first, np.full_like(first, 90)).homography(flow) is None


def test_boxes_over_everything_leave_no_match():
    everything = np.array([[-5, -5, WIDTH + 5, HEIGHT + 5]], np.float32)
    assert shown(*frames(), humans=everything).homography(true_flow()) is None


def test_matches_are_mutual_and_near():
    first, second = frames()
    camera = shown(first, second, Settings(match_window=6))
    before, now = camera._match(*camera._frames)
    assert len(before) > 20
    assert np.abs(before - now).max() <= 6
    assert len({tuple(point) for point in now.tolist()}) == len({tuple(point) for point in before.tolist()})


def test_compensation_leaves_nothing_of_the_camera_and_all_of_the_rest():
    flow = true_flow()
    own = np.zeros_like(flow)
    own[50:90, 60:120] = (3, -2)
    place = np.stack(np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT)), -1).astype(np.float32)
    seen = cv2.perspectiveTransform(place + own, MOTION) - place
    np.testing.assert_allclose(Compensation(WIDTH, HEIGHT)(seen, MOTION), own, atol=1e-3)
