"""Histograms of many frames at once against those frame by frame, in doubles."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from harness_dense_trajectories import tubes
from harness_dense_trajectories.histograms import Histograms, average_in_time
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import COLUMNS, STEPS
from harness_dense_trajectories.tubes import describe

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
HEIGHT, WIDTH, FRAMES = 70, 96, 40


class Doubles(Histograms):
    """`Histograms` with integral images in doubles, hence without roundings."""

    def _summed(self, plane, places):
        integral = [cv2.integral(picture, sdepth=cv2.CV_64F).ravel() for picture in self._levels.views(plane[0])]
        corners = np.take(np.concatenate(integral), places).reshape(3, 3, -1)
        columns = corners[1:] - corners[:-1]
        return (columns[:, 1:] - columns[:, :-1]).reshape(4, -1)


def smooth(shape, seed, scale):
    noise = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    field = np.stack([cv2.GaussianBlur(plane, (0, 0), 3) for plane in noise.reshape(-1, *shape[-2:])]).reshape(shape)
    return field / field.std() * scale


def scene(tracks=300, height=HEIGHT, width=WIDTH):
    """Frames, small flow, and tracks in no order that wander beyond the border."""
    random = np.random.default_rng(0)
    pictures = (smooth((FRAMES, height, width), 1, 50) + 128).clip(0, 255).astype(np.uint8)
    flow = smooth((FRAMES, 2, height, width), 2, 0.5)
    start = random.integers(0, FRAMES - STEPS + 1, tracks)
    first = random.uniform(0, (width - 1, height - 1), (tracks, 1, 2))
    points = (first + random.normal(0, 1.5, (tracks, STEPS, 2)).cumsum(1)).astype(np.float32)
    points[:5] = points[:5].round() + 0.5  # halves are rounded to even
    return pictures, flow, start, points


def tensors(arrays, device="cpu"):
    return [torch.from_numpy(array).to(device) for array in arrays]


def frame_by_frame(pictures, flow, start, points, settings, kind=Doubles):
    """Histograms of all points of a frame, then means along tracks, as `extract` does."""
    levels = Levels.of(pictures.shape[2], pictures.shape[1], 1, 2**0.5, settings.neighbourhood)
    histograms = kind(levels, settings)
    rows = np.empty((len(start), 396), np.float32)
    window = []
    for frame, (picture, motion) in enumerate(zip(pictures, flow, strict=True)):
        step = frame - start
        live = (step >= 0) & (step < STEPS)
        seen = np.zeros((len(start), 132), np.float32)
        seen[live] = histograms([picture], motion.reshape(2, -1), points[live, step[live]], np.zeros(live.sum(), int))
        window = [*window, seen][-STEPS:]
        ended = np.flatnonzero(step == STEPS - 1)
        if len(ended):
            rows[ended] = average_in_time(window, np.repeat(ended[:, None], STEPS, 1))
    return rows


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("settings", [Settings(), Settings(neighbourhood=20, epsilon=0.2, still=0.6)], ids=["32", "20"])
def test_equal_to_the_histograms_from_frame_to_frame(device, settings):
    arrays = scene()
    described = describe(*tensors(arrays, device), settings)
    assert described.dtype == torch.float32
    assert described.device.type == device
    assert described.shape == (300, COLUMNS["mbh_y"].stop - COLUMNS["hog"].start)
    np.testing.assert_allclose(described.cpu(), frame_by_frame(*arrays, settings), atol=2e-6)
    stored = frame_by_frame(*arrays, settings, Histograms)
    np.testing.assert_allclose(described.cpu(), stored, atol=1e-4)  # sums in floats


def test_flow_of_one_direction_falls_into_the_same_bins():
    """The approximation of the angle shows most there."""
    pictures, flow, start, points = scene(20)
    for degrees in range(45, 405, 70):
        flow[:] = 1.5 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])[:, None, None]
        expected = frame_by_frame(pictures, flow, start, points, Settings())
        np.testing.assert_allclose(describe(*tensors((pictures, flow, start, points))), expected, atol=2e-5)


@pytest.mark.parametrize("device", DEVICES)
def test_the_same_in_blocks_of_any_size_and_in_any_company(device, monkeypatch):
    pictures, flow, start, points = tensors(scene(), device)
    whole = describe(pictures, flow, start, points)
    order = torch.randperm(len(start), generator=torch.Generator().manual_seed(0)).to(device)
    assert torch.equal(describe(pictures, flow, start[order], points[order]), whole[order])
    twice = describe(pictures.repeat(2, 1, 1), flow.repeat(2, 1, 1, 1), start + FRAMES, points)
    assert torch.equal(twice, whole)
    for frames in (1, 7, FRAMES):
        cut = [slice(first, min(first + frames, FRAMES)) for first in range(0, FRAMES, frames)]
        monkeypatch.setattr(tubes, "blocks", lambda *_, cut=cut: cut)
        assert torch.equal(describe(pictures, flow, start, points), whole)


def test_memory_is_bounded_by_blocks(monkeypatch):
    seen = []
    windows = tubes._windows
    monkeypatch.setattr(tubes, "_windows", lambda planes, *rest: seen.append(planes.numel()) or windows(planes, *rest))
    describe(*tensors(scene()))
    assert max(seen) <= 2**20 * 9 / 33


def test_no_tracks():
    pictures, flow, start, points = tensors(scene(0))
    assert describe(pictures, flow, start, points).shape == (0, 396)
    assert describe(pictures[:0], flow[:0], start, points).shape == (0, 396)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pictures": torch.zeros(40, 70, 96)}, r"pictures must be \(40, 70, 96\) torch.uint8"),
        ({"pictures": torch.zeros(40, 70, dtype=torch.uint8)}, "pictures must be"),
        ({"flow": torch.zeros(39, 2, 70, 96)}, r"flow must be \(40, 2, 70, 96\) torch.float32"),
        ({"start": torch.zeros(4, dtype=torch.int64)}, r"start must be \(5,\)"),
        ({"points": torch.zeros(5, 16, 2)}, r"points must be \(5, 15, 2\)"),
        ({"start": torch.tensor([0, 1, 2, 3, 26])}, "in the 40 frames, got starts 0-26"),
        ({"start": torch.tensor([0, 1, -2, 3, 4])}, "got starts -2-4"),
        (
            {"pictures": torch.zeros(40, 31, 96, dtype=torch.uint8), "flow": torch.zeros(40, 2, 31, 96)},
            r"at least 32 pixels high and wide, got \(31, 96\)",
        ),
    ],
)
def test_wrong_input_is_refused(changed, message):
    names = ("pictures", "flow", "start", "points")
    given = dict(zip(names, tensors(scene(5)), strict=True)) | changed
    with pytest.raises(ValueError, match=message):
        describe(**given)
