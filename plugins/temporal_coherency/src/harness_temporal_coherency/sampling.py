"""Which frames make a pair or a tuple; everything at once for a whole batch."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from harness.interfaces import Split


class Pairs(NamedTuple):
    """Two frames each of B videos."""

    videos: Tensor
    """(B,)"""
    frames: Tensor
    """(B, 2)"""
    together: Tensor
    """(B,) bool: whether the frames are contiguous."""


class Tuples(NamedTuple):
    """Four frames: three of one video and one of another."""

    videos: Tensor
    """(B, 4)"""
    frames: Tensor
    """(B, 4)"""


def lengths(train: Split) -> Tensor:
    """(N,) frames of each video."""
    return torch.tensor([video.frames for video in train.videos])


def sfa_gaps(n_frames: Tensor) -> Tensor:
    """How far from a frame its non-contiguous partner is: 5, 7 or 17 frames in videos under 50, under 100, and longer.

    Source: the authors' release; the paper gives no number.

    >>> sfa_gaps(torch.tensor([49, 50, 99, 100])).tolist()
    [5, 7, 7, 17]
    """
    return 5 + 2 * (n_frames >= 50).long() + 10 * (n_frames >= 100).long()


def sfa_pairs(n_frames: Tensor, count: int, generator: torch.Generator) -> Pairs:
    """`count` pairs of frames of random videos: four contiguous ones (t, t + 1) for each that is a gap apart.

    Every fifth pair, the first among them, is the one apart. In a video too short for a step, the partner is
    its last frame.

    Args:
        n_frames: (N,) frames of each video.
        count: pairs.
        generator: the source of chance.
    """
    videos = torch.randint(len(n_frames), (count,), generator=generator)
    together = torch.arange(count) % 5 != 0
    step = torch.where(together, 1, sfa_gaps(n_frames[videos]))
    first, second = _stepped(n_frames[videos], step, generator)
    return Pairs(videos, torch.stack([first, second], dim=1), together)


def quadruplets(n_frames: Tensor, count: int, window: int, gap: int, generator: torch.Generator) -> Tuples:
    """`count` tuples of frames (t, t + window, t + gap) of a random video and a random frame of another.

    t is uniform over the frames where t + gap still lies in the video. In a shorter video, t is any frame and what lies
    beyond the last frame becomes the last frame. The other video is uniform over all others, its frame uniform.

    Args:
        n_frames: (N,) frames of each of at least two videos.
        count: tuples.
        window: w of the paper.
        gap: n of the paper, larger than `window`.
        generator: the source of chance.

    Raises:
        ValueError: when there is one video only, or `gap` is not larger than `window`, or `window` below 1.
    """
    if len(n_frames) < 2 or not 1 <= window < gap:
        msg = f"tuples need 2 videos and 1 <= window < gap, got {len(n_frames)}, {window} and {gap}"
        raise ValueError(msg)
    videos = torch.randint(len(n_frames), (count,), generator=generator)
    others = (videos + torch.randint(1, len(n_frames), (count,), generator=generator)) % len(n_frames)
    last = n_frames[videos] - 1
    first, later = _stepped(n_frames[videos], torch.tensor(gap), generator)
    following = torch.minimum(first + window, last)
    other = _uniform(n_frames[others], generator)
    return Tuples(
        torch.stack([videos, videos, videos, others], dim=1), torch.stack([first, following, later, other], dim=1)
    )


def _stepped(n_frames: Tensor, step: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """A frame and the one `step` later; both inside, and exactly a step apart where the video is long enough."""
    fits = n_frames > step
    first = _uniform(torch.where(fits, n_frames - step, n_frames), generator)
    return first, torch.minimum(first + step, n_frames - 1)


def _uniform(upper: Tensor, generator: torch.Generator) -> Tensor:
    """Integers below `upper`, one each."""
    return (torch.rand(len(upper), generator=generator, dtype=torch.float64) * upper).long()
