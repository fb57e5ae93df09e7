"""The clips of a split in order, decoded while the one before is computed on."""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from harness.cards import View
from harness.interfaces import Split
from harness.video.sample import clip_frames
from harness.video.transform import crops

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
