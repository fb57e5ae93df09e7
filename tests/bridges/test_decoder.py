"""Videos of a split as models of MTEB read them."""

from __future__ import annotations

import pytest
import torch

from harness.bridges.models.decoder import Decoder
from harness.errors import UsageError
from harness.testing import MovingSquares


def test_frames_are_those_of_the_split():
    split = MovingSquares().split("test")
    video, frames = Decoder.of_split(split, 3), split.read(3).permute(0, 3, 1, 2)
    assert torch.equal(video.get_frames_at([5, 0, 5]).data, frames[[5, 0, 5]])
    assert torch.equal(video.get_frames_at(torch.tensor([-1])).data, frames[-1:])
    assert torch.equal(video[2], frames[2])
    assert torch.equal(video[4:20:5], frames[4:20:5])
    assert len(video) == video.metadata.num_frames == len(frames)
    assert (video.metadata.height, video.metadata.width) == frames.shape[2:]
    with pytest.raises(IndexError):
        video.get_frames_at([len(frames)])


def test_times_follow_from_the_rate():
    split = MovingSquares().split("test")
    metadata = Decoder.of_split(split, 0).metadata
    assert metadata.average_fps == split.videos[0].fps
    assert metadata.end_stream_seconds - metadata.begin_stream_seconds == pytest.approx(24 / split.videos[0].fps)


def test_a_clip_has_frames_and_no_times():
    clip = torch.randint(256, (3, 6, 4, 5), dtype=torch.uint8)
    video = Decoder.of_clip(clip)
    assert torch.equal(video.get_frames_at([1, 4]).data, clip[:, [1, 4]].permute(1, 0, 2, 3))
    with pytest.raises(UsageError, match="chooses frames by their time"):
        video.metadata.end_stream_seconds  # noqa: B018 - computed
