"""Reads clips with torchcodec as told by lines of JSON, until there are no more."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import torch

from harness.backbones import _torchvision

cv2.setNumThreads(1)
torch.set_num_threads(1)
_torchvision.models()  # what torchcodec's transforms import does not load by itself beside a torch without CUDA

from torchcodec.decoders import VideoDecoder  # noqa: E402
from torchcodec.transforms import CenterCrop, Resize  # noqa: E402

SIDE, WIDE = 112, 149
CENTRE = slice((WIDE - SIDE) // 2, (WIDE - SIDE) // 2 + SIDE)


def clip(path, wanted, mode):
    """(T, 112, 112, 3) uint8 RGB: `exact` or `approximate` seeks, or resized by the decoder (`small`)."""
    small = mode == "small"
    decoder = VideoDecoder(
        path,
        dimension_order="NHWC",
        num_ffmpeg_threads=1,
        seek_mode="approximate" if small else mode,
        transforms=[Resize((SIDE, WIDE)), CenterCrop((SIDE, SIDE))] if small else None,
    )
    frames = decoder.get_frames_at(wanted).data.numpy()
    if small:
        return frames
    return np.stack([cv2.resize(frame, (WIDE, SIDE), interpolation=cv2.INTER_AREA)[:, CENTRE] for frame in frames])


for line in sys.stdin:
    order = json.loads(line)
    with ThreadPoolExecutor(order["threads"]) as pool:
        found = list(pool.map(lambda chosen: clip(*chosen, order["mode"]), order["clips"]))  # noqa: B023
    if order["output"]:
        np.save(order["output"], np.stack(found))
    sys.stdout.write("done\n")
    sys.stdout.flush()
