"""Training clips: chosen frames of many videos as one batch."""

from __future__ import annotations

import torch
from torch import Tensor

from harness.interfaces import Split
from harness.video.transform import crops, random_crop


def read_clips(split: Split, videos: Tensor, frames: Tensor, *, size: int, generator: torch.Generator | None) -> Tensor:
    """Clips as (B, C, T, size, size) uint8 RGB.

    With a generator, each frame's short side is resized to 8/7 of `size` (128 pixels for 112) and a random square is
    cut out of each clip. Without one, the short side becomes `size`, and the square is the centre.

    Args:
        split: where the videos are.
        videos: (B,) positions in the split.
        frames: (B, T) frame indices of each clip.
        size: pixels.
        generator: chooses the squares; None takes the centres.

    Raises:
        DataError: when a video does not decode.
    """
    short_side = size if generator is None else round(size * 8 / 7)
    clips = []
    for video, chosen in zip(videos.tolist(), frames.tolist(), strict=True):
        clip = split.read(video, chosen, short_side=short_side).permute(3, 0, 1, 2)[None]  # (1, C, T, H, W)
        clips.append(crops(clip, size, 1)[:, 0] if generator is None else random_crop(clip, size, generator))
    return torch.cat(clips)
