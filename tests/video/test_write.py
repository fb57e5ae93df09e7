"""Frames to files."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import UsageError
from harness.video.write import write_video

from .conftest import drift, pyav_frames


@pytest.mark.parametrize(("name", "codec"), [("a.avi", "mpeg4"), ("a.mp4", "mpeg4"), ("a.mp4", "libx264")])
def test_equal_frames_give_equal_bytes_that_look_like_them(tmp_path, name, codec):
    grey = drift(count=13).mean(-1, keepdims=True).astype(np.uint8).repeat(3, -1)  # colours lose half their resolution
    first, second = tmp_path / name, tmp_path / "again" / name
    write_video(first, grey, 25, codec)
    write_video(second, grey, 25, codec)
    assert first.read_bytes() == second.read_bytes()
    found = pyav_frames(first)
    assert found.shape == grey.shape
    assert np.abs(found.astype(int) - grey).mean() < 4
    assert np.abs(found[:-1].astype(int) - grey[1:]).mean() > 12


def test_channels_keep_their_order(tmp_path):
    red = np.zeros((3, 32, 48, 3), np.uint8)
    red[..., 0] = 255
    write_video(tmp_path / "red.avi", red, 10)
    mean = pyav_frames(tmp_path / "red.avi").mean((0, 1, 2))
    assert mean[0] > 240
    assert mean[1:].max() < 15


def test_odd_sizes(tmp_path):
    frames = drift(count=3, height=47, width=63)
    write_video(tmp_path / "odd.avi", frames, 25)
    assert pyav_frames(tmp_path / "odd.avi").shape == frames.shape


@pytest.mark.parametrize(
    ("name", "codec", "size", "reason"),
    [
        ("odd.mp4", "libx264", (47, 63), "63x47"),
        ("none.avi", "no-such-codec", (48, 64), "no such encoder"),
        ("none.gif", "mpeg4", (48, 64), "'.gif'"),
    ],
)
def test_what_ffmpeg_cannot_write_leaves_nothing(tmp_path, name, codec, size, reason):
    with pytest.raises(UsageError, match=reason) as caught:
        write_video(tmp_path / name, drift(2, *size), 25, codec)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "frames", [np.zeros((0, 8, 8, 3), np.uint8), np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8)]
)
def test_frames_of_another_shape_or_type(tmp_path, frames):
    with pytest.raises(ValueError, match="uint8"):
        write_video(tmp_path / "a.avi", frames, 25)
