"""Which clips and crops of a video a classifier is tested on, where protocols differ."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from harness._mm.batches import Batches
from harness.cards import View
from harness.interfaces import Split
from harness.seeding import derived
from harness.video.loader import video_clips
from harness.video.sample import random_clips
from harness.video.transform import crops

Views = Literal["view", "random5", "25x10", "sliding", "dense"]
"""How a video is shown.

- `view`: the clips and crops of the encoder's own view.
- `random5`: the centre of 5 random clips (Tokmakov et al. 2020).
- `25x10`: 25 clips whose first frames are evenly spaced, the four corners and the centre of each, and their mirror
  images: 250 (Purushwalkam and Gupta 2016, with clips of one frame). As in training, the frame's short side is at
  least 8/7 of the crop's.
- `sliding`: the centre of all windows that fit into the video one after the other (Hara et al. 2018).
- `dense`: the centre of all windows that fit, each half a window after the one before (Tran et al. 2015: clips of 16
  frames, 8 frames apart).
"""


def starts(n_frames: int, view: View, views: Views, generator: torch.Generator) -> Tensor:
    """First frames (V,) int64 of the clips of a video of `n_frames`; a video shorter than a clip is looped.

    >>> view = View(frames=1, size=8)
    >>> starts(49, view, "25x10", torch.Generator())[:4].tolist()
    [0, 2, 4, 6]
    >>> starts(35, View(frames=8, stride=2, size=8), "sliding", torch.Generator()).tolist()
    [0, 15]
    >>> starts(40, View(frames=16, size=8), "dense", torch.Generator()).tolist()
    [0, 8, 16, 24]

    Raises:
        ValueError: for `view`, whose clips `harness.video.sample.clip_frames` spreads.
    """
    if views == "random5":
        return random_clips(torch.full((5,), n_frames), view.frames, view.stride, generator)[:, 0]
    if views == "25x10":
        return torch.linspace(0, max(n_frames - view.span, 0), 25, dtype=torch.float64).round().long()
    if views == "sliding":
        return torch.arange(max(n_frames // view.span, 1)) * view.span
    if views == "dense":
        step = max(view.span // 2, 1)
        return torch.arange(max((n_frames - view.span) // step + 1, 1)) * step
    msg = f"the clips of {views!r} are those of the view itself"
    raise ValueError(msg)


def shown(split: Split, index: int, view: View, views: Views, *, seed: int) -> Tensor:
    """What is shown of one video, (V, C, T, size, size) uint8 RGB.

    Args:
        split: where the video is.
        index: of the video.
        view: frames, stride and size of a clip.
        views: which clips and crops.
        seed: of random clips; each video has its own.

    Raises:
        DataError: when the video does not decode.
    """
    if views == "view":
        return video_clips(split, index, view)
    n_frames = split.videos[index].frames
    first = starts(n_frames, view, views, torch.Generator().manual_seed(derived(seed, index)))
    frames = (first[:, None] + torch.arange(view.frames) * view.stride) % n_frames
    short_side = max(view.short_side, round(view.size * 8 / 7)) if views == "25x10" else view.short_side
    read = split.read(index, frames.flatten().tolist(), short_side=short_side)
    clips = read.view(*frames.shape, *read.shape[1:]).permute(0, 4, 1, 2, 3)  # (V, C, T, H, W)
    cut = crops(clips, view.size, 10 if views == "25x10" else 1)
    return cut.flatten(0, 1).contiguous()


def batches(
    split: Split, view: View, views: Views, *, seed: int, batch_size: int = 32
) -> Iterator[tuple[Tensor, Tensor]]:
    """Everything that is shown of a split's videos, read in another thread.

    Args:
        split: whose videos.
        view: frames, stride and size of a clip.
        views: which clips and crops.
        seed: of random clips.
        batch_size: clips at a time; the last batch may have fewer.

    Yields:
        The video of each clip as its position in the split, (B,) int64, and (B, C, T, size, size) uint8 RGB.

    Raises:
        DataError: when a video does not decode.
    """
    videos, waiting = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.uint8)
    reading = Batches(lambda index: shown(split, index, view, views, seed=seed), len(split))
    with contextlib.closing(reading.starting(0)) as read:
        for index, clips in enumerate(read):
            videos = torch.cat([videos, torch.full((len(clips),), index)])
            waiting = torch.cat([waiting, clips]) if len(waiting) else clips
            full = len(waiting) - len(waiting) % batch_size
            if full:
                parts = torch.split(videos[:full], batch_size), torch.split(waiting[:full], batch_size)
                yield from zip(*parts, strict=True)
                videos, waiting = videos[full:], waiting[full:]
    if len(waiting):
        yield videos, waiting
