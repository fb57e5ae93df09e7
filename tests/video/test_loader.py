"""Clips of whole splits, in order and in the right layout."""

from __future__ import annotations

import pytest
import torch

from harness.cards import View
from harness.errors import DataError
from harness.testing import MovingSquares
from harness.video.loader import AHEAD, clips
from harness.video.sampling import clip_frames


class Numbered:
    """Videos whose every pixel says video, frame, row and column."""

    def __init__(self, frames=(9, 4, 12, 6, 7), broken=None):
        self.videos = [type("Record", (), {"frames": count})() for count in frames]
        self.broken = broken
        self.reads = []

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames=None, *, short_side=None):
        self.reads.append(index)
        if index == self.broken:
            msg = "video 3 is broken"
            raise DataError(msg)
        width = short_side + 4
        out = torch.zeros(len(frames), short_side, width, 3, dtype=torch.uint8)
        out[..., 0] = index
        out[..., 1] = torch.tensor(frames, dtype=torch.uint8)[:, None, None]
        out[..., 2] = torch.arange(width, dtype=torch.uint8)
        return out


def test_no_video_is_left_out_of_a_split_longer_than_what_is_read_ahead():
    split = Numbered(frames=(4,) * (2 * AHEAD + 3))
    found = torch.cat([batch for _, batch in clips(split, View(frames=2, size=6), batch_size=5)])
    assert found[:, 0, 0, 0, 0].tolist() == list(range(len(split)))


@pytest.mark.parametrize("batch_size", [1, 4, 7, 100])
@pytest.mark.parametrize("view", [View(frames=3, stride=2, size=6, clips=2, crops=3), View(frames=2, size=6, resize=8)])
def test_video_after_video_clip_after_clip_crop_after_crop(view, batch_size):
    split = Numbered()
    found = list(clips(split, view, batch_size=batch_size))
    position = 0
    for start, batch in found:
        assert start == position
        position += len(batch)
    assert all(len(batch) == batch_size for _, batch in found[:-1])
    flat = torch.cat([batch for _, batch in found])
    assert flat.shape == (len(split) * view.clips * view.crops, 3, view.frames, 6, 6)
    assert flat.dtype == torch.uint8
    lefts = [0, 2, 4] if view.crops == 3 else [(view.short_side + 4 - 6) // 2]
    expected = 0
    for index, video in enumerate(split.videos):
        for chosen in clip_frames(video.frames, view).tolist():
            for left in lefts:
                clip = flat[expected]
                assert (clip[0] == index).all()
                assert clip[1, :, 0, 0].tolist() == chosen
                assert clip[2, 0, 0].tolist() == list(range(left, left + 6))
                expected += 1
    assert sorted(split.reads) == list(range(len(split)))


def test_an_error_in_a_thread_reaches_the_consumer():
    with pytest.raises(DataError, match="video 3"):
        list(clips(Numbered(broken=3), View(frames=2, size=6), batch_size=2))


def test_leaving_early_stops_reading():
    split = Numbered(frames=(5,) * (3 * AHEAD))
    next(clips(split, View(frames=2, size=6), batch_size=1))
    assert len(split.reads) <= AHEAD + 1


def test_whole_videos_come_alone_with_all_their_frames():
    split = MovingSquares().split("test")
    sizes = [batch.shape for _, batch in clips(split, View(whole=True), batch_size=8)]
    assert sizes == [(1, 3, video.frames, video.height, video.width) for video in split.videos]
