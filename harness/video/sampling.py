"""Which frames of a video make a clip. A video shorter than the clip is looped, as in Tokmakov et al. 2020."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from harness.cards import View


def clip_frames(n_frames: int, view: View) -> Tensor:
    """Frame indices (clips, frames) int64 of the clips of `view`, spread evenly over a video of `n_frames` frames.

    With s frames more than a clip spans, clip i of n > 1 starts at frame floor(i s / (n - 1)): the first clip starts
    at the first frame, the last ends at the last. One clip alone starts at floor(s / 2). A whole video is one clip.

    >>> clip_frames(10, View(frames=4, stride=2, size=8)).tolist()
    [[1, 3, 5, 7]]
    >>> clip_frames(10, View(frames=3, stride=1, size=8, clips=3)).tolist()
    [[0, 1, 2], [3, 4, 5], [7, 8, 9]]
    >>> clip_frames(3, View(frames=5, size=8)).tolist()
    [[0, 1, 2, 0, 1]]

    Raises:
        ValueError: when the video has no frames.
    """
    if n_frames < 1:
        msg = f"a video of {n_frames} frames has no clips"
        raise ValueError(msg)
    if view.whole:
        return torch.arange(n_frames)[None]
    slack = max(n_frames - view.span, 0)
    starts = torch.arange(view.clips) * slack // (view.clips - 1) if view.clips > 1 else torch.tensor([slack // 2])
    return (starts[:, None] + torch.arange(view.frames) * view.stride) % n_frames


def frames_digest(n_frames: Sequence[int], view: View) -> str:
    """Hash of the frame indices that `view` takes of videos with so many frames each, in their order.

    >>> view = View(frames=2, size=8)
    >>> frames_digest([10, 10], view) == frames_digest([10, 10], View(frames=2, stride=2, size=8))
    False
    """
    sha = hashlib.sha256()
    known = {number: clip_frames(number, view).numpy().tobytes() for number in set(n_frames)}
    for number in n_frames:
        sha.update(known[number])
    return sha.hexdigest()[:20]


def random_clips(n_frames: Tensor, frames: int, stride: int, generator: torch.Generator) -> Tensor:
    """Frame indices (B, frames) int64 of one clip in each of B videos, its start uniform over where it fits.

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
    return (starts[:, None] + torch.arange(frames) * stride) % n_frames[:, None]
