"""Trajectories of many videos beside those of each."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from harness_dense_trajectories import many
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.many import extract_many
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import span

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
PHOTOGRAPH = cv2.cvtColor(load_sample_image("china.jpg"), cv2.COLOR_RGB2GRAY)
HISTOGRAMS = span("hog", "mbh_y")


def crossing(frames, height, width, speed=2.5):
    """A part of the photograph going over another part, with a panning camera."""
    video = np.empty((frames, height, width), np.uint8)
    for t in range(frames):
        video[t] = PHOTOGRAPH[100 : 100 + height, 150 + t : 150 + width + t]
        left, top = round(5 + speed * t), 8 + t
        part = video[t, top : top + 40, left : left + 40]
        part[:] = PHOTOGRAPH[300:340, 300:340][: part.shape[0], : part.shape[1]]
    return video


VIDEOS = [
    crossing(22, 64, 96),
    crossing(20, 72, 80, speed=1.7),
    np.zeros((18, 64, 96), np.uint8),
    crossing(12, 64, 96),
    crossing(25, 64, 96, speed=1.2),
    np.empty((0, 64, 96), np.uint8),
]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("settings", [Settings(), Settings(compensate=False, gap=3)], ids=["compensated", "raw"])
def test_equal_to_one_after_the_other(device, settings):
    together = extract_many(VIDEOS, settings, device=device)
    alone = [extract(video, settings) for video in VIDEOS]
    assert [len(each.table) > 20 for each in alone] == [True, True, False, False, True, False]
    assert len({tuple(each.table[:, 6]) for each in alone}) > 2  # tracks at several levels
    for one, other in zip(alone, together, strict=True):
        for name in ("tracks", "frame", "removed", "removed_frame"):
            np.testing.assert_array_equal(getattr(other, name), getattr(one, name))
        np.testing.assert_array_equal(other.table[:, : HISTOGRAMS.start], one.table[:, : HISTOGRAMS.start])
        np.testing.assert_allclose(other.table[:, HISTOGRAMS], one.table[:, HISTOGRAMS], atol=1e-4)
        assert (other.table[:, HISTOGRAMS] > 0).all()


def test_boxes_are_of_their_videos():
    videos = VIDEOS[:2]
    boxes = [None, [[[10, 0, 70, 60]]] * len(videos[1])]
    together = extract_many(videos, boxes=boxes, device="cpu")
    for video, around, trajectories in zip(videos, boxes, together, strict=True):
        np.testing.assert_array_equal(trajectories.tracks, extract(video, boxes=around).tracks)
    assert not np.array_equal(together[1].tracks, extract(videos[1]).tracks)
    with pytest.raises(ValueError, match="one list a frame"):
        extract_many(videos, boxes=[None, boxes[1][:-1]], device="cpu")


def test_the_same_in_any_company(monkeypatch):
    together = extract_many(VIDEOS, device="cpu")
    monkeypatch.setattr(many, "PIXELS", 0)
    for one, other in zip(together, extract_many(map(iter, VIDEOS), device="cpu"), strict=True):
        np.testing.assert_array_equal(one.table, other.table)


def test_none():
    assert extract_many([], device="cpu") == []


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="uint8 grey"):
        extract_many([VIDEOS[0], VIDEOS[0].astype(np.float32)], device="cpu")
