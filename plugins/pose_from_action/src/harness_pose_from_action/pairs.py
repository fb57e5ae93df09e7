"""Pairs of frames, the flow between them, and flow of other videos."""

from __future__ import annotations

import contextlib
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from harness.system import progress
from harness.system.processes import allowed_processors
from harness.video.decode_processes import in_processes
from harness.video.flow import flip_flow, reverse_flow
from harness.video.loader import THREADS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from harness.interfaces import Split

NONE = -1
"""Position of a block where no other video of the batch has one."""


class Pairs(NamedTuple):
    """B pairs of frames, and the block of flow from the one to the other."""

    frames: Tensor
    """(2, B, 3, 1, S, S) uint8 RGB: the first frames, then the second ones."""
    flow: Tensor
    """(B, 2, T, S, S) float32 in pixels; x, then y."""


def short_side(size: int) -> int:
    """Short side of frames and flow before the crop: 256 for crops of 224.

    >>> short_side(224)
    256
    """
    return round(size * 8 / 7)


@contextlib.contextmanager
def _decoding() -> Iterator[ThreadPoolExecutor]:
    """Open threads for reading, whose videos are decoded in processes."""
    with in_processes(min(allowed_processors(), THREADS)), ThreadPoolExecutor(THREADS) as pool:
        yield pool


def compute_flow(split: Split, videos: Sequence[int], size: int, device: str) -> None:
    """Compute the flow of videos that the cache lacks.

    Args:
        split: with the videos.
        videos: positions in the split.
        size: pixels of the squares that will be cut out.
        device: where it computes.

    Raises:
        DataError: when a video does not decode.
    """
    with _decoding() as pool, progress.bar(f"optical flow of {split.name}", total=len(videos)) as bar:
        for _ in pool.map(lambda video: split.flow(video, [0], short_side=short_side(size), device=device), videos):
            bar.advance()


def read_pairs(
    split: Split, videos: Tensor, first: Tensor, apart: int, size: int, generator: torch.Generator | None
) -> Pairs:
    """Read pairs of frames and the flow between them, each cut out by one square.

    Args:
        split: with the videos.
        videos: (B,) positions in the split.
        first: (B,) numbers of the first frames.
        apart: frames from the first to the second, and maps in a block.
        size: pixels of the square.
        generator: chooses a square for each pair; None takes the central ones.

    Raises:
        DataError: when a video does not decode.
    """
    places = None if generator is None else torch.rand(len(videos), 2, generator=generator, dtype=torch.float64)

    def read(pair: int) -> tuple[Tensor, Tensor]:
        video, start = int(videos[pair]), int(first[pair])
        images = split.read(video, [start, start + apart], short_side=short_side(size))  # (2, H, W, 3)
        flow = split.flow(video, range(start, start + apart), short_side=short_side(size))  # (T, 2, H, W)
        slack = torch.tensor(images.shape[1:3]) - size
        corner = slack // 2 if places is None else (places[pair] * (slack + 1)).long()
        top, left = corner.tolist()
        rows, columns = slice(top, top + size), slice(left, left + size)
        return images[:, rows, columns].permute(0, 3, 1, 2), flow[:, :, rows, columns].transpose(0, 1)

    with _decoding() as pool:
        frames, blocks = zip(*pool.map(read, range(len(videos))), strict=True)
    return Pairs(torch.stack(frames, dim=1)[:, :, :, None], torch.stack(blocks))


def augment(pairs: Pairs, generator: torch.Generator) -> None:
    """Mirror a random half of the pairs, and play a random half backwards, in place.

    Mirroring negates the horizontal flow; backwards, frames are exchanged, and flow is negated and in reverse order.

    Source: Purushwalkam and Gupta 2016, section 3, which says nothing of signs.
    """
    mirrored, backwards = torch.rand(2, len(pairs.flow), generator=generator) < 0.5
    frames, flow = pairs.frames, pairs.flow.transpose(1, 2)  # (B, T, 2, S, S)
    frames[:, mirrored] = frames[:, mirrored].flip(-1)
    flow[mirrored] = flip_flow(flow[mirrored])
    frames[:, backwards] = frames[:, backwards].flip(0)
    flow[backwards] = reverse_flow(flow[backwards])


def draw_negatives(videos: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Draw blocks of other videos of the batch for each pair: (B, count) positions.

    Every block is a negative `count` times, of different pairs, unless the batch has several pairs of a video: what
    would be a block of the pair's own video is `NONE`.

    Args:
        videos: (B,) the video of each pair.
        count: negatives of a pair.
        generator: the source of chance.

    >>> draw_negatives(torch.tensor([5, 7, 9]), 2, torch.Generator()).sort(1).values.tolist()
    [[1, 2], [0, 2], [0, 1]]
    """
    size = len(videos)
    order = torch.randperm(size, generator=generator)
    shifts = 1 + torch.randperm(size - 1, generator=generator)[:count] if size > 1 else torch.zeros(0, dtype=torch.long)
    place = order.argsort()
    chosen = order[(place[:, None] + shifts) % size]
    chosen = torch.where(videos[chosen] == videos[:, None], NONE, chosen)
    missing = chosen.new_full((size, count - chosen.shape[1]), NONE)
    return torch.cat([chosen, missing], dim=1)
