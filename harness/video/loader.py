"""Clips of a split, decoded ahead of the consumer and batched."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import torch
from torch import Tensor

from harness.cards import View, WholeVideo
from harness.interfaces import Split
from harness.system.prefetch import Batches, to_device
from harness.system.processes import allowed_processors
from harness.system.seeding import derive_seed
from harness.video.sampling import ClipSampling, clip_frames, sampled_frames
from harness.video.transforms import crops, multi_scale_crop, random_crop

THREADS = 8
"""Most threads that decode."""
AHEAD = 2
"""Videos that wait for each thread."""


def read_clips(
    split: Split,
    videos: Tensor,
    frames: Tensor,
    *,
    size: int,
    generator: torch.Generator | None,
    crop: Literal["random", "multi_scale"] = "random",
) -> Tensor:
    """Clips as (B, C, T, size, size) uint8 RGB, cropped at random or in the centre.

    Without a generator, the short side of each frame becomes `size`, and the square is the centre. With one, a random
    square is cut out of each clip: after each frame's short side is resized to 8/7 of `size` (128 pixels for 112), or
    by `multi_scale_crop` at a random position after it is resized to at most twice `size`.

    Args:
        split: where the videos are.
        videos: (B,) positions in the split.
        frames: (B, T) frame indices of each clip.
        size: pixels.
        generator: chooses the squares; None takes the centres.
        crop: how a square is chosen.

    Raises:
        DataError: when a video does not decode.
    """
    clips = []
    for video, chosen in zip(videos.tolist(), frames.tolist(), strict=True):
        short_side: int | None = size if generator is None else round(size * 8 / 7)
        if generator is not None and crop == "multi_scale":
            record = split.videos[video]
            short_side = 2 * size if min(record.width, record.height) > 2 * size else None
        clip = split.read(video, chosen, short_side=short_side).permute(3, 0, 1, 2)[None]  # (1, C, T, H, W)
        if generator is None:
            clips.append(crops(clip, size, 1)[:, 0])
        elif crop == "multi_scale":
            clips.append(multi_scale_crop(clip, size, generator, position="random"))
        else:
            clips.append(random_crop(clip, size, generator))
    return torch.cat(clips)


def video_clips(split: Split, index: int, view: View | WholeVideo) -> Tensor:
    """All clips and crops of a video, (clips * crops, C, T, size, size) uint8 RGB.

    A whole video is (1, C, T, H, W).

    Raises:
        DataError: when the video does not decode.
    """
    if isinstance(view, WholeVideo):
        return split.read(index).permute(3, 0, 1, 2)[None].contiguous()
    chosen = clip_frames(split.videos[index].frames, view)
    return cut_clips(split.read(index, chosen.flatten().tolist(), short_side=view.short_side), view)


def cut_clips(frames: Tensor, view: View) -> Tensor:
    """Frames (clips * T, H, W, C) as clips (clips * crops, C, T, size, size)."""
    stacked = frames.view(view.clips, view.frames, *frames.shape[1:]).permute(0, 4, 1, 2, 3)
    return crops(stacked, view.size, view.crops).flatten(0, 1).contiguous()


def sampled_clips(split: Split, index: int, view: View, sampling: ClipSampling, *, seed: int) -> Tensor:
    """Clips and crops sampled from a video, (V, C, T, size, size) uint8 RGB.

    Args:
        split: where the video is.
        index: position of the video in the split.
        view: frames, stride and size of a clip.
        sampling: which clips and crops.
        seed: of random clips; each video has its own.

    Raises:
        DataError: when the video does not decode.
    """
    if sampling == "view":
        return video_clips(split, index, view)
    generator = torch.Generator().manual_seed(derive_seed(seed, index))
    frames = sampled_frames(split.videos[index].frames, view, sampling, generator)
    short_side = max(view.short_side, round(view.size * 8 / 7)) if sampling == "25x10" else view.short_side
    read = split.read(index, frames.flatten().tolist(), short_side=short_side)
    clips = read.view(*frames.shape, *read.shape[1:]).permute(0, 4, 1, 2, 3)  # (V, C, T, H, W)
    return crops(clips, view.size, 10 if sampling == "25x10" else 1).flatten(0, 1).contiguous()


def clips(
    split: Split, view: View | WholeVideo, *, batch_size: int, device: str = "cpu", first: int = 0
) -> Generator[tuple[int, Tensor], None, None]:
    """Batches of every clip and crop, in the order of videos, clips, crops.

    Each video is opened once for all of its clips. Decoding runs in threads, ahead of the consumer.

    Args:
        split: whose videos.
        view: clips, crops, frames, stride and size.
        batch_size: clips at a time; the last batch may have fewer, and whole videos come alone.
        device: where the batches go; pinned and copied without waiting when it is a GPU.
        first: position of the clip that is read first.

    Yields:
        The position of the batch's first clip, and (B, C, T, size, size) uint8 RGB.

    Raises:
        DataError: when a video does not decode.
    """
    start = first
    size = 1 if isinstance(view, WholeVideo) else batch_size  # whole videos differ in size
    with contextlib.closing(_read_ahead(split, view, first)) as read:
        for _, batch in _batched(read, size):
            yield start, _to(batch, device)
            start += len(batch)


def sampled_batches(
    split: Split, view: View, sampling: ClipSampling, *, seed: int, batch_size: int = 32
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of all clips that a protocol samples, read in another thread.

    Args:
        split: whose videos.
        view: frames, stride and size of a clip.
        sampling: which clips and crops.
        seed: of random clips.
        batch_size: clips at a time; the last batch may have fewer.

    Yields:
        The video of each clip as its position in the split, (B,) int64, and (B, C, T, size, size) uint8 RGB.

    Raises:
        DataError: when a video does not decode.
    """
    reading = Batches(lambda index: sampled_clips(split, index, view, sampling, seed=seed), len(split))
    with contextlib.closing(reading.starting(0)) as read:
        yield from _batched(read, batch_size)


def _read_ahead(split: Split, view: View | WholeVideo, first: int) -> Generator[Tensor, None, None]:
    """Clips of each video (n, C, T, H, W) in order, from position `first` on."""
    video, skipped = divmod(first, view.count)
    threads = min(allowed_processors(), THREADS)
    with ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        indices = iter(range(video, len(split)))
        first_ones = itertools.islice(indices, AHEAD * threads)
        pending = deque(pool.submit(video_clips, split, index, view) for index in first_ones)
        try:
            while pending:
                yield pending.popleft().result()[skipped:]
                skipped = 0
                pending.extend(pool.submit(video_clips, split, index, view) for index in itertools.islice(indices, 1))
        finally:
            for future in pending:
                future.cancel()


def _batched(read: Iterable[Tensor], batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch the clips of each video: positions of their videos (B,), clips (B, ...)."""
    videos: list[int] = []
    waiting: list[Tensor] = []
    for index, clips in enumerate(read):
        videos += [index] * len(clips)
        waiting.append(clips)
        full = len(videos) - len(videos) % batch_size
        if full:
            joined, positions = torch.cat(waiting), torch.tensor(videos)
            parts = torch.split(positions[:full], batch_size), torch.split(joined[:full], batch_size)
            yield from zip(*parts, strict=True)
            videos, waiting = videos[full:], [joined[full:]] if full < len(joined) else []
    if videos:
        yield torch.tensor(videos), torch.cat(waiting)


def _to(batch: Tensor, device: str) -> Tensor:
    return to_device(batch.pin_memory() if device.startswith("cuda") else batch, device)
