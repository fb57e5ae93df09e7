"""Clips of a decoded video that no data set of ours holds."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.cards import View
from harness.errors import DataError, out_of_memory
from harness.values import Box
from harness.video.sampling import clip_frames
from harness.video.transforms import crop_box, crops


def clips_of(video: Any, view: View) -> Tensor:
    """Read a view's clips and crops of a video, (V, 3, T, size, size) uint8.

    Frames are resized as a part of a picture is: by the mean of the pixels covered, bilinear when enlarged. Only the
    frames that the view shows are decoded. Where one of them does not decode, because a container announces more frames
    than it has, those that do are counted, and are the video.

    Args:
        video: torchcodec's decoder, or frames (T, C, H, W) uint8 RGB.
        view: frames, stride, size, clips and crops.

    Raises:
        DataError: when it is neither, has no frames, or does not decode.
    """
    count = _announced(video)
    clips = _shown(video, count, view)
    if clips is None:
        clips = _shown(video, _decodable(video, count), view)
    if clips is None:
        msg = "a video has no frames"
        raise DataError(msg)
    return clips


def _shown(video: Any, count: int, view: View) -> Tensor | None:
    """Clips of the first `count` frames; None where one that is shown is not there."""
    if not count:
        return None
    wanted, order = torch.unique(clip_frames(count, view), return_inverse=True)  # (clips, T)
    frames = _read(video, wanted.tolist())
    return None if frames is None else _view(frames, order, view)


def _decodable(video: Any, announced: int) -> int:
    """Number of frames that decode, found by bisection."""
    return bisect.bisect_left(range(announced), True, key=lambda frame: _read(video, [frame]) is None)


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


def _read(video: Any, frames: Sequence[int]) -> Tensor | None:
    """Frames (N, 3, H, W) uint8 on the CPU; None where the video ends before.

    Raises:
        DataError: when it does not decode for another reason.
    """
    if isinstance(video, Tensor | np.ndarray):
        return torch.as_tensor(video[list(frames)]).cpu()
    try:
        decoded: Tensor = video.get_frames_at(list(frames)).data
    except RuntimeError as error:
        if "no more frames" in str(error):
            return None
        if out_of_memory(error):
            raise
        msg = f"a video does not decode: {' '.join(str(error).split())}"
        raise DataError(msg) from error
    return decoded.cpu()
