"""Decoded clips of a split, batch by batch."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
from torch import Tensor

from harness.cards import View
from harness.interfaces import Split
from harness.system.prefetch import Batches
from harness.system.seeding import derive_seed
from harness.video.sampling import clip_frames, random_clips
from harness.video.transforms import crops, random_crop

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
        ValueError: for `view`, whose clips `harness.video.sampling.clip_frames` spreads.
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
    first = starts(n_frames, view, views, torch.Generator().manual_seed(derive_seed(seed, index)))
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


THREADS = min(os.cpu_count() or 1, 8)
AHEAD = 2 * THREADS
"""Videos decoded before they are needed."""


def clips(
    split: Split, view: View, *, batch_size: int, device: str = "cpu"
) -> Generator[tuple[int, Tensor], None, None]:
    """Every clip and crop of every video: video after video, clip after clip, crop after crop.

    Each video is opened once for all of its clips. Decoding runs in threads, ahead of the consumer.

    Args:
        split: whose videos.
        view: clips, crops, frames, stride and size.
        batch_size: clips at a time; the last batch may have fewer, and whole videos come alone.
        device: where the batches go; pinned and copied without waiting when it is a GPU.

    Yields:
        The position of the batch's first clip, and (B, C, T, size, size) uint8 RGB.

    Raises:
        DataError: when a video does not decode.
    """
    batch_size = 1 if view.whole else batch_size  # videos differ in size
    start = 0
    waiting: list[Tensor] = []
    count = 0
    for views in _read_ahead(split, view):
        waiting.append(views)
        count += len(views)
        if count < batch_size:
            continue
        joined = torch.cat(waiting)
        for full in torch.split(joined[: count - count % batch_size], batch_size):
            yield start, _to(full, device)
            start += batch_size
        count %= batch_size
        waiting = [joined[len(joined) - count :]] if count else []
    if count:
        yield start, _to(torch.cat(waiting), device)


def _read_ahead(split: Split, view: View) -> Iterator[Tensor]:
    with ThreadPoolExecutor(THREADS, thread_name_prefix="decode") as pool:
        indices = iter(range(len(split)))
        first = itertools.islice(indices, AHEAD)
        pending = deque(pool.submit(video_clips, split, index, view) for index in first)
        try:
            while pending:
                yield pending.popleft().result()
                for index in indices:
                    pending.append(pool.submit(video_clips, split, index, view))
                    break
        finally:
            for future in pending:
                future.cancel()


def video_clips(split: Split, index: int, view: View) -> Tensor:
    """All clips and crops of one video, (clips * crops, C, T, size, size) uint8 RGB; a whole one (1, C, T, H, W)."""
    if view.whole:
        return split.read(index).permute(3, 0, 1, 2)[None].contiguous()
    chosen = clip_frames(split.videos[index].frames, view)
    return cut(split.read(index, chosen.flatten().tolist(), short_side=view.short_side), view)


def cut(frames: Tensor, view: View) -> Tensor:
    """All clips and crops, (clips * crops, C, T, size, size), of a video's frames (clips * T, H, W, C)."""
    stacked = frames.view(view.clips, view.frames, *frames.shape[1:]).permute(0, 4, 1, 2, 3)
    return crops(stacked, view.size, view.crops).flatten(0, 1).contiguous()


def _to(batch: Tensor, device: str) -> Tensor:
    if device.startswith("cuda"):
        return batch.pin_memory().to(device, non_blocking=True)
    return batch.to(device)
