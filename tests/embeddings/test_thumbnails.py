"""The middle square of the frame that shows a point."""

from __future__ import annotations

import numpy as np
import torch

from harness.datasets.split_views import FrameImages, Subset
from harness.embeddings.scatter import SIDE, thumbnails
from harness.interfaces import Video
from harness.testing import MovingSquares


class Bars:
    """Videos 80 pixels high and 160 wide: red, then green from 40 to 120, then red; blue tells frame and video."""

    def __init__(self):
        self.videos = [Video(str(n), path=None, frames=4, fps=1.0, width=160, height=80) for n in range(2)]
        self.reads = []

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames=None, *, short_side=None):
        self.reads.append((index, list(frames)))
        clip = torch.zeros(len(frames), 80, 160, 3, dtype=torch.uint8)
        clip[..., 0] = 255
        clip[:, :, 40:120] = torch.tensor([0, 255, 0], dtype=torch.uint8)
        clip[..., 2] = torch.tensor([50 * index + 10 * frame for frame in frames])[:, None, None]
        return clip


def test_only_the_middle_is_seen_of_the_frame_asked_for():
    found = thumbnails(Bars(), [1, 3])
    assert found.shape == (2, SIDE, SIDE, 3)
    assert found.dtype == np.uint8
    assert (found[..., :2] == [0, 255]).all()
    assert found[:, 0, 0, 2].tolist() == [10, 80]


def test_points_of_one_video_are_read_at_once():
    bars = Bars()
    found = thumbnails(Subset(bars, [0, 0, 0, 1]), [3, 0, 2, 1])
    assert bars.reads == [(0, [3, 0, 2]), (1, [1])]
    assert found[:, 0, 0, 2].tolist() == [30, 0, 20, 60]


def test_small_frames_are_enlarged():
    split = MovingSquares().split("test")
    found = thumbnails(split, [12] * len(split))
    whole = split.read(3, [12])[0, :, 8:56].numpy()
    assert np.abs(found[3].mean((0, 1)) - whole.mean((0, 1))).max() < 3


def test_frames_that_are_points_of_their_own():
    split = MovingSquares().split("test")
    found = thumbnails(FrameImages.every(split, 6), [0] * 4 * len(split))
    assert np.array_equal(found[4:8], thumbnails(Subset(split, [1] * 4), [0, 6, 12, 18]))
