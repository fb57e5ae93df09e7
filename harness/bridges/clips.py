"""Clips of a decoded video that no data set of ours holds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.cards import View
from harness.errors import DataError
from harness.values import Box
from harness.video.sampling import clip_frames
from harness.video.transforms import crop_box, crops


def clips_of(video: Any, view: View) -> Tensor:
    """Read a view's clips and crops of a video, (V, 3, T, size, size) uint8.

    Frames are resized as a part of a picture is: by the mean of the pixels covered, bilinear when enlarged. Only the
    frames that the view shows are decoded. Where a container announces more frames than decode, fewer are assumed,
    until those that are shown do.

    Args:
        video: torchcodec's decoder, or frames (T, C, H, W) uint8 RGB.
        view: frames, stride, size, clips and crops.

    Raises:
        DataError: when it is neither, has no frames, or does not decode.
    """
    count = _announced(video)
    while count > 0:
        places = clip_frames(count, view)  # (clips, T)
        wanted, order = torch.unique(places, return_inverse=True)
        try:
            frames = _read(video, wanted.tolist())
        except RuntimeError as error:
            if "no more frames" not in str(error):
                msg = f"a video does not decode: {' '.join(str(error).split())}"
                raise DataError(msg) from error
            count -= 1
            continue
        return _view(frames, order, view)
    msg = "a video has no frames"
    raise DataError(msg)


def _view(frames: Tensor, order: Tensor, view: View) -> Tensor:
    """Resize frames (N, C, H, W), and cut the clips (clips, T) of them."""
    height, width = frames.shape[2:]
    pictures = crop_box(frames.permute(0, 2, 3, 1), Box(0, 0, width, height), view.short_side)
    clips = pictures[order].permute(0, 4, 1, 2, 3)  # (clips, C, T, H, W)
    return crops(clips, view.size, view.crops).flatten(0, 1).contiguous()


def _announced(video: Any) -> int:
    """Frames that the video says it has.

    Raises:
        DataError: when it is no video, or does not say.
    """
    if isinstance(video, Tensor | np.ndarray):
        if video.ndim != 4 or video.shape[1] != 3 or str(video.dtype).removeprefix("torch.") != "uint8":
            msg = f"expected frames (T, 3, H, W) uint8 of a video, got {tuple(video.shape)} {video.dtype}"
            raise DataError(msg)
        return len(video)
    count = getattr(getattr(video, "metadata", None), "num_frames", None)
    if not isinstance(count, int) or not hasattr(video, "get_frames_at"):
        msg = f"expected a video decoder that knows its number of frames, or frames, got {type(video).__name__}"
        raise DataError(msg)
    return count


def _read(video: Any, frames: Sequence[int]) -> Tensor:
    """Frames (N, 3, H, W) uint8 on the CPU."""
    if isinstance(video, Tensor | np.ndarray):
        return torch.as_tensor(video[list(frames)]).cpu()
    decoded: Tensor = video.get_frames_at(list(frames)).data
    return decoded.cpu()
