"""Video files to read, and the same frames as another reader gives them."""

from __future__ import annotations

import av
import numpy as np
import pytest

from harness.video.write import write_video


def drift(count=30, height=96, width=128, seed=0):
    """(T, H, W, 3) uint8: coloured blocks that drift, so that every frame and every corner differs."""
    random = np.random.default_rng(seed)
    blocks = random.integers(0, 256, ((height + count) // 8 + 2, (width + 2 * count) // 8 + 2, 3), dtype=np.uint8)
    wall = blocks.repeat(8, 0).repeat(8, 1)
    return np.stack([wall[t : t + height, 2 * t : 2 * t + width] for t in range(count)])


def pyav_frames(path):
    """What PyAV alone makes of the file, frame after frame from the start."""
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


@pytest.fixture(scope="session")
def files(tmp_path_factory):
    """Short videos by name: key frames every 12 frames, only at the start, and with frames out of order."""
    folder = tmp_path_factory.mktemp("videos")
    made = {"mpeg4.avi": "mpeg4", "h264.mp4": "libx264", "h264.mkv": "libx264"}
    for name, codec in made.items():
        write_video(folder / name, drift(), 25, codec)
    return {name: folder / name for name in made}
