"""Sampling of pairs, triplets and quadruplets of frames for a whole batch.

A negative is a uniform frame of a uniform other video. Where there is one video only it is a uniform frame of that: the
paper's "more unsupervised" training on all videos joined as one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor

from harness.video.loader import read_clips
from harness.video.transforms import colour_jitter

if TYPE_CHECKING:
    from harness.cards import View
    from harness.interfaces import Split

Contiguous = Literal["exactly", "within"]
"""Contiguous frames: `window` frames apart, or uniformly 1 to `window`."""


class Examples(NamedTuple):
    """Frames of B examples, one for each role."""

    videos: Tensor
    """(B, roles) positions in the split."""
    frames: Tensor
    """(B, roles) numbers of frames."""
    together: Tensor | None = None
    """(B,) bool, for pairs: the frames are contiguous."""


def read_roles(train: Split, view: View, examples: Examples, colour: float, generator: torch.Generator) -> Tensor:
    """Read single frames as clips (roles * B, C, 1, H, W) uint8, role after role.

    Args:
        train: the split with the videos.
        view: with the size of the frames.
        examples: of the split.
        colour: strength of the jitter of each frame's colours; 0 leaves them.
        generator: of the jitter.

    Raises:
        DataError: when a video does not decode.
    """
    videos, frames = examples.videos.T.flatten(), examples.frames.T.reshape(-1, 1)
    clips = read_clips(train, videos, frames, size=view.size, generator=None)
    return colour_jitter(clips, colour, generator) if colour else clips


def lengths(train: Split) -> Tensor:
    """Number of frames of each video, (N,)."""
    return torch.tensor([video.frames for video in train.videos])


def sfa_gaps(n_frames: Tensor) -> Tensor:
    """Gaps between the frames of a distant pair, by the length of the video.

    5, 7 or 17 frames in videos under 50, under 100, and longer. Source: the authors' release; the paper gives no
    number.

    >>> sfa_gaps(torch.tensor([49, 50, 99, 100])).tolist()
    [5, 7, 7, 17]
    """
    return 5 + 2 * (n_frames >= 50).long() + 10 * (n_frames >= 100).long()


def sfa_pairs(n_frames: Tensor, count: int, generator: torch.Generator, *, first: int = 0) -> Examples:
    """Sample pairs of frames of random videos, contiguous (t, t + 1) or a gap apart.

    Every fifth pair of a fit, the first among them, is the one apart. In a video too short for a step, the partner is
    its last frame.

    Args:
        n_frames: (N,) frames of each video.
        count: pairs.
        generator: the source of chance.
        first: number of the first pair in the fit.
    """
    videos = torch.randint(len(n_frames), (count,), generator=generator)
    together = torch.arange(first, first + count) % 5 != 0
    step = torch.where(together, 1, sfa_gaps(n_frames[videos]))
    frames = torch.stack(_draw_pair(n_frames[videos], step, generator), dim=1)
    return Examples(torch.stack([videos, videos], dim=1), frames, together)


def siamese_pairs(
    n_frames: Tensor,
    count: int,
    window: int,
    generator: torch.Generator,
    *,
    contiguous: Contiguous = "exactly",
    first: int = 0,
) -> Examples:
    """Sample pairs, in turn with a negative and with a contiguous frame.

    In a video too short for the window, the partner is at most its last frame.

    Args:
        n_frames: (N,) frames of each video.
        count: pairs.
        window: w of the paper, at least 1.
        generator: the source of chance.
        contiguous: whether the partner is `window` frames later, or at most so many.
        first: number of the first pair in the fit.
    """
    videos = torch.randint(len(n_frames), (count,), generator=generator)
    together = torch.arange(first, first + count) % 2 == 1
    anchor, following = _draw_pair(n_frames[videos], _draw_steps(window, count, contiguous, generator), generator)
    others, other = _draw_negatives(n_frames, videos, generator)
    return Examples(
        torch.stack([videos, torch.where(together, videos, others)], dim=1),
        torch.stack([anchor, torch.where(together, following, other)], dim=1),
        together,
    )


def triplets(n_frames: Tensor, count: int, gap: int, generator: torch.Generator) -> Examples:
    """Sample triplets of frames (t, t + gap) of a random video and a negative.

    In a video too short for the gap, the second is its last frame.

    Args:
        n_frames: (N,) frames of each video.
        count: triplets.
        gap: frames, at least 1.
        generator: the source of chance.
    """
    videos = torch.randint(len(n_frames), (count,), generator=generator)
    first, later = _draw_pair(n_frames[videos], torch.tensor(gap), generator)
    others, other = _draw_negatives(n_frames, videos, generator)
    return Examples(torch.stack([videos, videos, others], dim=1), torch.stack([first, later, other], dim=1))


def quadruplets(
    n_frames: Tensor,
    count: int,
    window: int,
    gap: int,
    generator: torch.Generator,
    *,
    contiguous: Contiguous = "exactly",
) -> Examples:
    """Sample frames (t, t + window, t + gap) of a random video and a negative.

    t is uniform over the frames where t + gap still lies in the video. In a shorter video, t is any frame and what lies
    beyond the last frame becomes the last frame.

    Args:
        n_frames: (N,) frames of each video.
        count: tuples.
        window: w of the paper, at least 1.
        gap: n of the paper, larger than `window`.
        generator: the source of chance.
        contiguous: whether the second frame is t + `window`, or uniformly one of t + 1 to t + `window`.
    """
    three = triplets(n_frames, count, gap, generator)
    videos, first = three.videos[:, 0], three.frames[:, 0]
    following = torch.minimum(first + _draw_steps(window, count, contiguous, generator), n_frames[videos] - 1)
    return Examples(
        torch.stack([videos, *three.videos.T], dim=1),
        torch.stack([first, following, *three.frames[:, 1:].T], dim=1),
    )


def _draw_negatives(n_frames: Tensor, videos: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw another video and one of its frames for each of `videos`."""
    others = videos
    if len(n_frames) > 1:
        others = (videos + torch.randint(1, len(n_frames), (len(videos),), generator=generator)) % len(n_frames)
    return others, _draw_below(n_frames[others], generator)


def _draw_steps(window: int, count: int, contiguous: Contiguous, generator: torch.Generator) -> Tensor:
    """Draw gaps from anchors to contiguous frames; a window of 1 draws nothing."""
    if contiguous == "exactly" or window == 1:
        return torch.full((count,), window)
    return torch.randint(1, window + 1, (count,), generator=generator)


def _draw_pair(n_frames: Tensor, step: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw a frame and the one `step` later, or the last one of a short video."""
    fits = n_frames > step
    first = _draw_below(torch.where(fits, n_frames - step, n_frames), generator)
    return first, torch.minimum(first + step, n_frames - 1)


def _draw_below(upper: Tensor, generator: torch.Generator) -> Tensor:
    """Draw an integer below each of `upper`."""
    return (torch.rand(len(upper), generator=generator, dtype=torch.float64) * upper).long()
