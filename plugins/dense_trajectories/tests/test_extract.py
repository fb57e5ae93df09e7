"""Trajectories of videos whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from harness_dense_trajectories.extract import cut_volumes, extract, halve
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import COLUMNS, STEPS, column

PHOTOGRAPH = cv2.cvtColor(load_sample_image("china.jpg"), cv2.COLOR_RGB2GRAY)
HEIGHT, WIDTH = 180, 240


def texture(height, width, seed=0):
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def filmed(affine, frames):
    """Film the photograph; `affine(t)` (2, 3) leads from frame t to it."""
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    return np.stack([cv2.warpAffine(PHOTOGRAPH, affine(t), (WIDTH, HEIGHT), flags=flags) for t in range(frames)])


def panned(frames=20):
    return filmed(lambda t: np.array([[1, 0, 120 + 1.7 * t], [0, 1, 90 + 0.6 * t]]), frames)


def square(frames=20, background=0):
    """A textured square of 64 pixels going 2.5 pixels right and 1 down a frame."""
    back = np.full((HEIGHT, WIDTH), 90, np.uint8) if background is None else texture(HEIGHT, WIDTH, background)
    front = texture(64, 64, seed=1)
    video = []
    for t in range(frames):
        shift = np.array([[1, 0, 40 + 2.5 * t], [0, 1, 50 + t]])
        moved = cv2.warpAffine(front, shift, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR)
        mask = cv2.warpAffine(np.ones((64, 64), np.float32), shift, (WIDTH, HEIGHT))
        video.append((mask * moved + (1 - mask) * back).round().astype(np.uint8))
    return np.stack(video)


@pytest.fixture(scope="module")
def seen():
    return extract(square(), volumes=True)


def same(one, other):
    for name in ("table", "tracks", "frame", "removed", "removed_frame", "volumes"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("detector", ["orb", "sift"])
def test_the_motion_of_the_camera_is_taken_out(detector):
    raw = extract(panned(), Settings(compensate=False))
    compensated = extract(panned(), Settings(detector=detector))
    assert len(raw.table) > 1000
    assert len(raw.removed) == 0
    assert len(compensated.table) < 0.02 * len(raw.table)
    assert len(compensated.table) + len(compensated.removed) == len(raw.table)
    way = np.median(compensated.removed[:, -1] - compensated.removed[:, 0], 0)
    np.testing.assert_allclose(way, (-25.5, -9), rtol=0.06)  # DIS is drawn to whole pixels of half the size


def test_farneback_also_follows_the_camera():
    raw = extract(panned(17), Settings(flow="farneback", compensate=False))
    compensated = extract(panned(17), Settings(flow="farneback"))
    assert len(raw.table) > 500
    assert len(compensated.table) < 0.1 * len(raw.table)


@pytest.mark.parametrize("flow", ["dis", "farneback"])
def test_tracks_are_on_what_moves_and_nowhere_else(flow):
    trajectories = extract(square(), Settings(flow=flow))
    margin = 8  # pixels that the flow's filters carry motion over its edge
    corner = np.array([40, 50]) + trajectories.frame[:, None] * np.array([2.5, 1])
    place = trajectories.tracks - corner[:, None] - np.arange(16)[:, None] * np.array([2.5, 1])  # on the square
    first = place[:, 0]
    assert len(trajectories.tracks) > 100
    assert ((place > -margin) & (place < 64 + margin)).all(2).any(1).all()  # it may catch up with, or lose a track
    inner = ((first > 12) & (first < 52)).all(1)
    assert inner.sum() > 50
    moved = trajectories.tracks[inner, -1] - trajectories.tracks[inner, 0]
    np.testing.assert_allclose(np.median(moved, 0), (15 * 2.5, 15), atol=0.5)


@pytest.mark.parametrize(("flow", "step", "end"), [("dis", 0.2, 2), ("farneback", 0.1, 0.75)])
def test_tracks_follow_a_known_affine_motion(flow, step, end):
    turn, grow, middle = 0.012, 1.006, np.array([WIDTH / 2, HEIGHT / 2])

    def motion(t):
        """From the scene to frame t, both around the frame's middle, which also moves."""
        cosine, sine = grow**t * np.cos(turn * t), grow**t * np.sin(turn * t)
        return np.array([[cosine, -sine], [sine, cosine]]), np.array([1.1 * t, -0.4 * t])

    def affine(t):
        linear, shift = motion(t)
        inverse = np.linalg.inv(linear)
        return np.column_stack([inverse, np.array([300, 200]) - inverse @ (middle + shift)])

    trajectories = extract(filmed(affine, 18), Settings(flow=flow, compensate=False))
    scene = np.empty((len(trajectories.tracks), 2))
    truth = np.empty_like(trajectories.tracks)
    for n, (track, start) in enumerate(zip(trajectories.tracks, trajectories.frame, strict=True)):
        linear, shift = motion(start)
        scene[n] = np.linalg.solve(linear, track[0] - middle - shift)
        for later in range(STEPS + 1):
            linear, shift = motion(start + later)
            truth[n, later] = linear @ scene[n] + middle + shift
    inside = ((truth > 16) & (truth < (WIDTH - 17, HEIGHT - 17))).all((1, 2))
    error = np.linalg.norm(trajectories.tracks - truth, axis=2)[inside]
    assert inside.sum() > 500
    assert np.median(error[:, 1]) < step
    assert np.median(error[:, -1]) < end


def test_rows_say_where_the_tracks_are(seen):
    table, tracks = seen.table, seen.tracks
    assert table.shape == (len(tracks), 436)
    assert table.dtype == np.float32
    assert tracks.shape[1:] == (16, 2)
    np.testing.assert_array_equal(table[:, column("frame")], seen.frame + 15)
    assert seen.frame.min() == 0
    assert seen.frame.max() == 4
    np.testing.assert_allclose(table[:, 1:3], tracks.mean(1), rtol=1e-5)
    np.testing.assert_allclose(table[:, 3:5], tracks.std(1), rtol=1e-4)
    np.testing.assert_allclose(table[:, 5], np.linalg.norm(np.diff(tracks, axis=1), axis=2).sum(1), rtol=1e-5)
    assert len(set(table[:, column("scale")].tolist())) > 2
    assert set(table[:, column("scale")].tolist()) <= set((2 ** (np.arange(6) / 2)).astype(np.float32).tolist())
    np.testing.assert_allclose(table[:, 7], table[:, 1] / WIDTH, rtol=1e-6)
    np.testing.assert_allclose(table[:, 8], table[:, 2] / HEIGHT, rtol=1e-6)
    np.testing.assert_allclose(table[:, 9], (seen.frame + 7.5) / 20, rtol=1e-6)


def test_shape_is_displacement_by_the_length_of_the_way():
    trajectories = extract(square(background=None), Settings(compensate=False))
    steps = np.diff(trajectories.tracks, axis=1)
    shape = steps / np.linalg.norm(steps, axis=2).sum(1)[:, None, None]
    np.testing.assert_allclose(trajectories.table[:, COLUMNS["shape"]], shape.reshape(len(shape), 30), atol=1e-5)


def test_compensated_shape_is_of_the_square_alone():
    window = np.stack([frame[2 * t : 120 + 2 * t, t : 180 + t] for t, frame in enumerate(square(18))])
    trajectories = extract(window, Settings(levels=1))
    steps = trajectories.table[:, COLUMNS["shape"]].reshape(-1, 15, 2)
    expected = np.array([2.5, 1]) / np.hypot(2.5, 1) / 15  # had the camera stood still
    assert len(trajectories.table) > 50
    np.testing.assert_allclose(np.median(steps, (0, 1)), expected, atol=0.003)


@pytest.mark.parametrize("name", ["hog", "hof", "mbh_x", "mbh_y"])
def test_histograms_are_roots_of_what_sums_to_one(seen, name):
    cells = seen.table[:, COLUMNS[name]].reshape(len(seen.table), 3, -1)
    assert (cells > 0).all()
    norms = np.square(cells).sum(2)
    assert (norms <= 1 + 1e-5).all()  # 1 in each frame; no more in the mean of five
    assert (norms > 0.8).all()


def test_an_iterator_equals_an_array(seen):
    same(extract(iter(square()), volumes=True), seen)


def test_an_iterator_may_write_all_frames_to_one_place(seen):
    def reused():
        place = np.empty((HEIGHT, WIDTH), np.uint8)
        for frame in square():
            place[:] = frame
            yield place

    same(extract(reused(), volumes=True), seen)


def test_the_same_twice(seen):
    same(extract(square(), volumes=True), seen)


@pytest.mark.parametrize(
    "frames",
    [
        np.empty((0, HEIGHT, WIDTH), np.uint8),
        square(15),
        np.repeat(texture(HEIGHT, WIDTH)[None], 20, 0),
        np.repeat(np.arange(20, dtype=np.uint8)[:, None, None], 64 * 64, 1).reshape(20, 64, 64),
        [],
    ],
    ids=["none", "15 frames", "static", "textureless", "empty list"],
)
def test_without_motion_there_is_nothing(frames):
    trajectories = extract(frames, volumes=True)
    assert trajectories.table.shape == (0, 436)
    assert trajectories.tracks.shape == trajectories.removed.shape == (0, 16, 2)
    assert trajectories.frame.shape == trajectories.removed_frame.shape == (0,)
    assert trajectories.volumes.shape == (0, 12, 16, 16)


def test_sixteen_frames_are_enough():
    trajectories = extract(square(16))
    assert len(trajectories.table) > 50
    assert (trajectories.frame == 0).all()


def test_boxes_are_kept_out_of_the_camera_motion():
    """The larger part moves as one; with a box around it, the rest is background."""
    crowd = panned(17)
    crowd[:, :, 190:] = texture(HEIGHT, 50)
    box = [[0, 0, 189.5, HEIGHT]]
    without = extract(crowd)
    within = extract(crowd, boxes=[box] * 17)
    left = within.table[:, column("mean_x")] < 170
    assert left.sum() > 300
    assert (without.table[:, column("mean_x")] < 170).sum() < 0.1 * left.sum()


@pytest.mark.parametrize(
    ("frames", "boxes", "message"),
    [
        (np.zeros((64, 64), np.uint8), None, r"\(T, H, W\) uint8, got \(64, 64\)"),
        (np.zeros((20, 64, 64), np.float32), None, "uint8 grey, got .* float32"),
        (np.zeros((20, 64, 64, 3), np.uint8), None, r"\(T, H, W\) uint8"),
        ([np.zeros((64, 64, 3), np.uint8)], None, "uint8 grey"),
        ([[0, 1]], None, "got list"),
        ([np.zeros((64, 64), np.uint8), np.zeros((64, 66), np.uint8)], None, "one size"),
        (np.zeros((20, 31, 64), np.uint8), None, "at least 32 pixels"),
        (np.zeros((3, 64, 64), np.uint8), [[]] * 2, "one list a frame"),
        (np.zeros((3, 64, 64), np.uint8), [[]] * 4, "one list a frame"),
        (np.zeros((1, 64, 64), np.uint8), [[[5, 5, 1, 9]]], "left, top, right, bottom"),
    ],
)
def test_wrong_input_is_refused(frames, boxes, message):
    with pytest.raises(ValueError, match=message):
        extract(frames, boxes=boxes)


def test_equal_to_a_direct_twin():
    random = np.random.default_rng(0)
    levels = Levels.of(80, 60, 8, 2**0.5, 32)
    window = [[random.integers(0, 256, size).astype(np.uint8) for _, size in levels.parts] for _ in range(16)]
    xy = random.uniform(0, 41, (5, 16, 2)).astype(np.float32)
    level = np.array([0, 1, 1, 0, 0])
    volumes = cut_volumes([halve(pictures) for pictures in window], xy, level, levels, 32)
    assert volumes.shape == (5, 12, 16, 16)
    for track in range(5):
        height, width = levels.parts[level[track]][1]
        for number in range(12):
            x, y = np.rint(xy[track, number + 2]).astype(int) - 16
            x, y = min(max(x, 0), width - 32), min(max(y, 0), height - 32)
            square = window[number + 2][level[track]][y : y + 32, x : x + 32].astype(float)
            expected = (square[::2, ::2] + square[1::2, ::2] + square[::2, 1::2] + square[1::2, 1::2]) / 4
            assert np.abs(volumes[track, number] - expected).max() <= 0.5


def test_a_moving_texture_stands_still_in_its_volumes():
    texture = np.kron(np.random.default_rng(0).integers(0, 256, (40, 40)), np.ones((6, 6))).astype(np.uint8)
    video = np.stack([texture[20 + t : 148 + t, 80 - 2 * t : 208 - 2 * t] for t in range(16)])
    trajectories = extract(video, Settings(levels=1, compensate=False), volumes=True)
    inside = ((trajectories.tracks > 17) & (trajectories.tracks < 110)).all((1, 2))
    spread = trajectories.volumes[inside].std(1).mean((1, 2))
    assert inside.sum() > 50
    assert np.median(spread) < 0.2 * video.std(0).mean()
    assert extract(video[:17]).volumes is None
