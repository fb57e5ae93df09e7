"""Clips of a split: one a video beside pytorchvideo's own data set, and ten in one pass beside one by one."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch

from harness.cards import View
from harness.datasets.splits import VideoSplit
from harness.values import Video
from harness.video import frame_cache, seek_index
from harness.video.loader import video_clips
from harness.video.sampling import clip_frames
from harness.video.transforms import crops

from . import peers
from .footage import FPS, LENGTHS


@pytest.fixture(scope="module", params=[(".avi", "mpeg4", 600), (".mp4", "libx264", 250)], ids=["mpeg4", "h264"])
def split(request, footage_files):
    """Six videos of one key frame each, as UCF101's, and nothing kept of what was decoded before."""
    paths = zip(footage_files(*request.param), LENGTHS, strict=True)
    return VideoSplit("test", tuple(Video(path.stem, path, length, FPS, 320, 240) for path, length in paths))


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch):
    monkeypatch.setattr(frame_cache, "shared", frame_cache.FrameCache(limit=0))


@pytest.fixture(autouse=True)
def one_thread_each():
    before = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    yield
    cv2.setNumThreads(before[0])
    torch.set_num_threads(before[1])


def test_data_set(split, beside):
    """The middle clip of every video, 16 frames 4 apart, in one thread."""
    view = View(frames=16, stride=4, size=112)

    def ours():
        seek_index.forget()
        return torch.cat([video_clips(split, index, view) for index in range(len(split))])

    def pytorchvideo():
        return list(peers.pytorchvideo_dataset([video.path for video in split.videos], view.frames, view.stride))

    def check(clips, theirs):
        found = clips.permute(0, 2, 3, 4, 1).numpy()
        for clips_of_peer in theirs.values():
            expected = np.stack(clips_of_peer).astype(int)
            neighbour = np.abs(found[:, :-1] - expected[:, 1:]).mean()
            assert np.abs(found - expected).mean() < min(2, neighbour / 2)  # another scaler, no other frame

    ratios = beside(ours, {"pytorchvideo": pytorchvideo}, clips=len(split), check=check)
    assert ratios["pytorchvideo"] > 2


def test_ten_clips(split, beside):
    """Ten clips of one video as an evaluation wants them: the file is passed once, not ten times."""
    view = View(frames=16, stride=4, size=112, clips=10)

    def ours():
        seek_index.forget()
        return video_clips(split, 3, view)

    def one_by_one():
        seek_index.forget()
        found = []
        for chosen in clip_frames(split.videos[3].frames, view):
            frames = split.read(3, chosen.tolist(), short_side=112)
            found.append(crops(frames.permute(3, 0, 1, 2)[None], 112, 1)[:, 0])
        return torch.cat(found)

    def check(clips, theirs):
        assert torch.equal(clips, theirs["ten reads"])

    ratios = beside(ours, {"ten reads": one_by_one}, clips=view.clips, check=check)
    assert ratios["ten reads"] > 3
