"""Footage as a camera gives it, and files of it with key frames where they are wanted."""

from __future__ import annotations

import functools

import av
import cv2
import numpy as np

FPS = 25
LENGTHS = (150, 156, 162, 168, 174, 180)
"""Frames of the videos that readers are measured on."""


def footage(seed, length):
    """Texture over texture, moving, soft as a camera's and as noisy: (T, 240, 320, 3)."""
    random = np.random.default_rng(seed)
    tints = random.uniform(0.5, 1, (2, 3))
    back = (random.uniform(0, 255, (40, 54, 1)) * tints[0]).astype(np.uint8).repeat(8, 0).repeat(8, 1)
    back = cv2.GaussianBlur(back, (0, 0), 2)
    front = cv2.GaussianBlur((random.uniform(0, 255, (48, 48, 1)) * tints[1]).astype(np.uint8), (0, 0), 2)
    for t in range(length):
        frame = np.roll(back, (t // 2, t), (0, 1))[:240, :320].copy()
        top, left = 20 + t % 150, 40 + 3 * t % 220
        frame[top : top + 48, left : left + 48] = front
        yield np.clip(frame + random.normal(0, 3, frame.shape), 0, 255).astype(np.uint8)


@functools.cache
def footages():
    """Frames of each of the videos."""
    return [list(footage(seed, length)) for seed, length in enumerate(LENGTHS)]


def encode(path, codec, gop, frames):
    with av.open(str(path), "w") as container:
        options = {"g": str(gop)}
        if codec == "mpeg4":
            options |= {"flags": "+qscale", "sc_threshold": "1000000000"}
        stream = container.add_stream(codec, rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        if codec == "mpeg4":
            stream.codec_context.global_quality = 4 * 118
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    with av.open(str(path)) as container:
        keys = sum(packet.is_keyframe for packet in container.demux(video=0))
    assert keys == 1 if gop > len(frames) else keys >= len(frames) // gop
