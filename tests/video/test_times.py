"""Times of frames by their packets: those that decoding gives, or none."""

from __future__ import annotations

import av
import numpy as np
import pytest

from harness.video import container
from harness.video.times import frame_times

STAMPS = [0, 40, 80, 200, 240, 400, 440, 480, 520, 560]
"""Milliseconds at which frames of a film are shown."""


def film(path, codec, **options):
    """Write a film whose rate varies."""
    with av.open(str(path), "w") as written:
        stream = written.add_stream(codec, rate=1000, options=options)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for stamp in STAMPS:
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), stamp // 4, np.uint8), format="rgb24")
            frame.pts = stamp
            written.mux(stream.encode(frame))
        written.mux(stream.encode())
    return path


@pytest.mark.parametrize(("suffix", "bframes"), [(".mp4", "0"), (".mp4", "3"), (".mkv", "3")])
def test_they_are_those_of_the_frames_that_decode(tmp_path, suffix, bframes):
    path = film(tmp_path / f"film{suffix}", "libx264", bf=bframes)
    with container.opened(path) as (file, stream):
        decoded = [float(frame.pts * stream.time_base) for frame in container.frames(file, stream)]
    times = frame_times(path, len(STAMPS))
    np.testing.assert_allclose(times[:-1], np.array(decoded) - decoded[0], atol=1e-6)
    np.testing.assert_allclose(times[:-1], np.array(STAMPS) / 1000, atol=0.0011)
    assert times[-1] > times[-2]


def test_they_are_none_where_packets_do_not_tell(tmp_path):
    path = film(tmp_path / "film.mp4", "libx264", bf="0")
    assert frame_times(path, len(STAMPS) + 1) is None
    frames_out_of_order = film(tmp_path / "film.avi", "libx264", bf="3")
    assert frame_times(frames_out_of_order, len(STAMPS)) is None
