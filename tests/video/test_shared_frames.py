"""Decoded videos that processes share."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from harness.video import frame_cache, shared_frames
from harness.video.decode import decode
from harness.video.frame_cache import FrameCache
from harness.video.shared_frames import SMALLEST, SharedFrames, shared_folder

LARGE = (2, 300, 256, 3)
KILLED = """
import os, signal, sys
from harness.video.shared_frames import shared_folder
with shared_folder() as folder:
    print(folder, flush=True)
    {end}
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A place of its own for shared folders."""
    monkeypatch.setattr(shared_frames, "_place", lambda: tmp_path)
    return tmp_path


def frames(seed=0, shape=LARGE):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(seed))


def test_what_one_adds_another_reads_and_cannot_change(place):
    with shared_folder() as folder:
        mapped = SharedFrames(folder).write("video \udce9", frames())
        other = SharedFrames(folder).read("video \udce9")
        assert torch.equal(other, frames())
        other.zero_()
        assert torch.equal(mapped, frames())
        assert torch.equal(SharedFrames(folder).read("video \udce9"), frames())
        assert SharedFrames(folder).read("another") is None
    assert list(place.iterdir()) == []
    assert torch.equal(mapped, frames())  # as long as it is used


def test_small_videos_and_those_without_room_are_not_added(place, monkeypatch):
    with shared_folder() as folder:
        small = frames(shape=(1, 8, 8, 3))
        assert SharedFrames(folder).write("small", small) is small
        limited = SharedFrames(folder, limit=2 * frames().nbytes + 1000)
        for name in "abc":
            limited.write(name, frames())
        assert [limited.read(name) is not None for name in "abc"] == [True, True, False]
        again = SharedFrames(folder, limit=2 * frames().nbytes + 1000)
        one = frames()
        assert again.write("c", one) is one  # counts what others added
        assert again.read("c") is None
    gone = SharedFrames(folder)
    assert gone.write("a", one) is one


def test_a_folder_of_a_killed_process_is_removed_by_the_next(monkeypatch):
    killed = subprocess.run(
        [sys.executable, "-c", KILLED.format(end="os.kill(os.getpid(), signal.SIGKILL)")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    left = Path(killed.stdout.strip())
    with subprocess.Popen(
        [sys.executable, "-c", KILLED.format(end="sys.stdin.read()")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        used = Path(running.stdout.readline().strip())
        assert left.is_dir()
        with shared_folder():
            assert left.is_dir()  # as young as one that is about to be locked
        for folder in (left, used):
            os.utime(folder, (time.time() - 100,) * 2)
        with shared_folder():
            assert not left.exists()
            assert used.is_dir()
        running.communicate("")
    assert not used.exists()


def test_caches_of_several_processes_decode_a_video_once(files, place, monkeypatch):
    decoded = []

    def counted(path, *, short_side, total):
        decoded.append(path.name)
        return decode(path, short_side=short_side, total=total)

    monkeypatch.setattr(frame_cache, "decode", counted)
    with shared_folder() as folder:
        caches = [FrameCache(), FrameCache()]
        for cache in caches:
            cache.share(folder)
        found = [cache.video(files["h264.mp4"], 112) for cache in caches]
        assert found[0].nbytes >= SMALLEST
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[1], torch.from_numpy(decode(files["h264.mp4"], short_side=112)))
    assert decoded == ["h264.mp4"]
