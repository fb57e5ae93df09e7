"""Decoded videos in memory."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from harness.errors import DataError
from harness.video import frame_cache
from harness.video.decode import decode
from harness.video.frame_cache import FrameCache


@pytest.fixture
def decoded(monkeypatch):
    """What was decoded, in order."""
    calls = []

    def counted(path, frames=None, *, short_side=None, total=None):
        calls.append((path.name, short_side))
        return decode(path, frames, short_side=short_side, total=total)

    monkeypatch.setattr(frame_cache, "decode", counted)
    return calls


def test_a_video_is_decoded_once_for_each_size(files, decoded):
    cache = FrameCache()
    first = cache.video(files["mpeg4.avi"], 32)
    assert torch.equal(first, torch.from_numpy(decode(files["mpeg4.avi"], short_side=32)))
    assert cache.video(files["mpeg4.avi"], 32) is first
    assert cache.video(files["mpeg4.avi"], 48).shape[1] == 48
    assert decoded == [("mpeg4.avi", 32), ("mpeg4.avi", 48)]


def test_threads_that_want_the_same_video_wait_for_one_of_them(files, decoded):
    cache, together = FrameCache(), threading.Barrier(8)

    def read(_):
        together.wait()
        return cache.video(files["h264.mp4"], 32)

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(read, range(8)))
    assert all(frames is found[0] for frames in found)
    assert len(decoded) == 1


def test_the_bytes_stay_below_the_limit_and_the_newest_is_kept(files, decoded):
    one = 30 * 32 * 43 * 3
    cache = FrameCache(limit=2 * one + 1)
    for name in ("mpeg4.avi", "h264.mp4", "mpeg4.avi", "h264.mkv"):
        cache.video(files[name], 32)
        assert cache._bytes <= cache.limit
    cache.video(files["mpeg4.avi"], 32)
    assert len(decoded) == 3
    cache.video(files["h264.mp4"], 32)
    assert len(decoded) == 4
    tiny = FrameCache(limit=1)
    tiny.video(files["mpeg4.avi"], 32)
    tiny.video(files["mpeg4.avi"], 32)
    assert len(decoded) == 5


def test_a_video_that_fails_is_tried_again(files, tmp_path):
    cache, path = FrameCache(), tmp_path / "late.avi"
    with pytest.raises(DataError, match="late"):
        cache.video(path, 32)
    path.write_bytes(files["mpeg4.avi"].read_bytes())
    assert len(cache.video(path, 32)) == 30


def test_a_file_that_changes_is_decoded_again(files, decoded, tmp_path):
    cache, path = FrameCache(), tmp_path / "video.avi"
    path.write_bytes(files["mpeg4.avi"].read_bytes())
    first = cache.video(path, 32)
    status = path.stat()
    path.write_bytes(files["mpeg4.avi"].read_bytes())
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert torch.equal(cache.video(path, 32), first)
    assert decoded == [("video.avi", 32)] * 2
