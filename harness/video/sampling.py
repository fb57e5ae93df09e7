"""Frame indices of clips; short videos are looped (Tokmakov et al. 2020)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from harness.cards import View, WholeVideo

ClipSampling = Literal["view", "random5", "25x10", "sliding", "dense"]
"""Clips and crops of a test video over which a protocol averages.

- `view`: the clips and crops of the encoder's own view.
- `random5`: the centre of 5 random clips (Tokmakov et al. 2020).
- `25x10`: 25 clips whose first frames are evenly spaced, the four corners and the centre of each, and their mirror
  images: 250 (Purushwalkam and Gupta 2016, with clips of one frame). As in training, the frame's short side is at
  least 8/7 of the crop's.
- `sliding`: the centre of all windows that fit into the video one after the other (Hara et al. 2018).
- `dense`: the centre of all windows that fit, each half a window after the one before (Tran et al. 2015: clips of 16
  frames, 8 frames apart).
"""


def clip_frames(n_frames: int, view: View | WholeVideo) -> Tensor:
    """Frame indices (clips, frames) int64 of evenly spread clips.

    With s frames more than a clip spans, clip i of n > 1 starts at frame floor(i s / (n - 1)): the first clip starts
    at the first frame, the last ends at the last. One clip alone starts at floor(s / 2). A whole video is one clip.
    With a uniform stride, frame i of T is the middle of the i-th of T equal parts of n frames, floor((i + 1/2) n / T).

    >>> clip_frames(10, View(frames=4, stride=2, size=8)).tolist()
    [[1, 3, 5, 7]]
    >>> clip_frames(10, View(frames=3, stride=1, size=8, clips=3)).tolist()
    [[0, 1, 2], [3, 4, 5], [7, 8, 9]]
    >>> clip_frames(3, View(frames=5, size=8)).tolist()
    [[0, 1, 2, 0, 1]]
    >>> clip_frames(10, View(frames=4, stride="uniform", size=8)).tolist()
    [[1, 3, 6, 8]]

    Raises:
        ValueError: when the video has no frames.
    """
    if n_frames < 1:
        msg = f"expected a video of at least 1 frame, got {n_frames}"
        raise ValueError(msg)
    if isinstance(view, WholeVideo):
        return torch.arange(n_frames)[None]
    if view.stride == "uniform":
        return ((2 * torch.arange(view.frames) + 1) * n_frames // (2 * view.frames))[None]
    slack = max(n_frames - view.span, 0)
    starts = torch.arange(view.clips) * slack // (view.clips - 1) if view.clips > 1 else torch.tensor([slack // 2])
    return _following(starts, view.frames, view.step, n_frames)


def sampled_frames(n_frames: int, view: View, sampling: ClipSampling, generator: torch.Generator) -> Tensor:
    """Frame indices (V, frames) int64 of the clips that a protocol samples.

    >>> generator = torch.Generator()
    >>> sampled_frames(49, View(frames=1, size=8), "25x10", generator)[:4, 0].tolist()
    [0, 2, 4, 6]
    >>> view = View(frames=3, stride=2, size=8)
    >>> sampled_frames(12, view, "sliding", generator).tolist()
    [[0, 2, 4], [5, 7, 9]]
    >>> sampled_frames(12, view, "dense", generator)[:, 0].tolist()
    [0, 2, 4, 6]
    """
    if sampling == "view":
        return clip_frames(n_frames, view)
    if sampling == "random5":
        return random_clips(torch.full((5,), n_frames), view.frames, view.step, generator)
    if sampling == "25x10":
        starts = torch.linspace(0, max(n_frames - view.span, 0), 25, dtype=torch.float64).round().long()
    else:
        step = view.span if sampling == "sliding" else max(view.span // 2, 1)
        starts = torch.arange(max((n_frames - view.span) // step + 1, 1)) * step
    return _following(starts, view.frames, view.step, n_frames)


def random_clips(n_frames: Tensor, frames: int, stride: int, generator: torch.Generator) -> Tensor:
    """Frame indices (B, frames) int64 of one random clip in each of B videos.

    Its start is uniform over where the clip fits.

    Args:
        n_frames: (B,) frames of each video, each at least 1.
        frames: frames of a clip.
        stride: frames from one to the next.
        generator: the source of chance.

    >>> random_clips(torch.tensor([7, 2]), 4, 2, torch.Generator().manual_seed(0)).tolist()
    [[0, 2, 4, 6], [0, 0, 0, 0]]
    """
    slack = (n_frames - (frames - 1) * stride).clamp(min=1)
    starts = (torch.rand(len(n_frames), generator=generator, dtype=torch.float64) * slack).long()
    return _following(starts, frames, stride, n_frames[:, None])


def _following(starts: Tensor, frames: int, stride: int, n_frames: int | Tensor) -> Tensor:
    """Frame indices (V, frames) of the clips that begin at `starts` (V,)."""
    return (starts[:, None] + torch.arange(frames) * stride) % n_frames
