"""Clips of a split, decoded ahead of the consumer and batched."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import numpy as np
import torch
from torch import Tensor

from harness.cards import View, WholeVideo
from harness.interfaces import Split
from harness.system.prefetch import Batches, pinned_to_device, to_device
from harness.system.processes import allowed_processors
from harness.system.seeding import derive_seed
from harness.video.decode_processes import in_processes
from harness.video.sampling import ClipSampling, clip_frames, sampled_frames
from harness.video.transforms import crops, multi_scale_crop, random_crop

THREADS = 16
"""Most threads that decode."""
FEW = 4
"""The same where a video can be hundreds of clips."""

Task = TypeVar("Task")
Done = TypeVar("Done")


def read_clips(
    split: Split,
    videos: Tensor,
    frames: Tensor,
    *,
    size: int,
    generator: torch.Generator | None,
    crop: Literal["random", "multi_scale"] = "random",
) -> Tensor:
    """Read clips as (B, C, T, size, size) uint8 RGB, cropped.

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

    def read(wanted: tuple[int, list[int]]) -> Tensor:
        video, chosen = wanted
        short_side: int | None = size if generator is None else round(size * 8 / 7)
        if generator is not None and crop == "multi_scale":
            record = split.videos[video]
            short_side = 2 * size if min(record.width, record.height) > 2 * size else None
        return split.read(video, chosen, short_side=short_side).permute(3, 0, 1, 2)[None]  # (1, C, T, H, W)

    clips = []
    tasks = zip(videos.tolist(), frames.tolist(), strict=True)
    with contextlib.closing(read_ahead(read, tasks, more=1)) as ahead:
        for clip in ahead:
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
    return _squares(frames, view).contiguous()


def _squares(frames: Tensor, view: View) -> Tensor:
    stacked = frames.view(view.clips, view.frames, *frames.shape[1:]).permute(0, 4, 1, 2, 3)
    return crops(stacked, view.size, view.crops).flatten(0, 1)


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

    Each video is opened once for all of its clips. Decoding runs in threads, a batch ahead of the consumer; they put
    the clips where the batch has them.

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
    if isinstance(view, WholeVideo):  # they differ in size
        videos = range(first, len(split))
        with contextlib.closing(read_ahead(lambda index: video_clips(split, index, view), videos, more=1)) as read:
            for index, video in zip(videos, read, strict=True):
                yield index, pinned_to_device(video, device)
        return
    total = len(split) * view.count
    starts = range(first, total, batch_size)
    batches: dict[int, Tensor] = {}

    def places(video: int) -> list[Tensor]:
        """Places of a video's clips from `first` on, in the batches that have them."""
        begin, end = max(video * view.count, first), (video + 1) * view.count
        found = []
        for start in starts[(begin - first) // batch_size : -(-(end - first) // batch_size)]:
            if start not in batches:
                shape = min(batch_size, total - start), 3, view.frames, view.size, view.size
                batches[start] = torch.empty(shape, dtype=torch.uint8, pin_memory=device.startswith("cuda"))
            found.append(batches[start][max(begin - start, 0) : end - start])
        return found

    def fill(task: tuple[int, list[Tensor]]) -> None:
        video, parts = task
        chosen = clip_frames(split.videos[video].frames, view).flatten().tolist()
        squares = _squares(split.read(video, chosen, short_side=view.short_side), view)
        skipped = len(squares) - sum(len(part) for part in parts)
        for part, clip in zip(itertools.chain(*parts), squares[skipped:], strict=True):
            np.copyto(part.numpy(), clip.numpy())  # torch would start threads of its own in each of ours

    def filled() -> Generator[None, None, None]:
        ends = [len(split)] if overlaps(device) else [-(-(start + batch_size) // view.count) for start in starts]
        begin = first // view.count
        for end in ends:
            tasks = ((video, places(video)) for video in range(begin, min(end, len(split))))
            with contextlib.closing(read_ahead(fill, tasks, more=-(-batch_size // view.count))) as read:
                yield from read
            begin = end

    with contextlib.closing(filled()) as done:
        count = first // view.count * view.count
        for start in starts:
            while count < min(start + batch_size, total):
                next(done)
                count += view.count
            yield start, to_device(batches.pop(start), device)


def sampled_batches(
    split: Split, view: View, sampling: ClipSampling, *, seed: int, batch_size: int = 32, device: str = "cpu"
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of all clips that a protocol samples, read ahead of the consumer.

    Args:
        split: whose videos.
        view: frames, stride and size of a clip.
        sampling: which clips and crops.
        seed: of random clips.
        batch_size: clips at a time; the last batch may have fewer.
        device: where the clips go; pinned and copied without waiting when it is a GPU.

    Yields:
        The video of each clip as its position in the split, (B,) int64, and (B, C, T, size, size) uint8 RGB.

    Raises:
        DataError: when a video does not decode.
    """

    def sampled(index: int) -> Tensor:
        return sampled_clips(split, index, view, sampling, seed=seed)

    if overlaps(device):
        count = {"view": view.count, "random5": 5}.get(sampling)
        threads = THREADS if count and count <= batch_size else FEW
        reading = read_ahead(sampled, range(len(split)), more=0, threads=threads)
    else:
        reading = Batches(sampled, len(split)).starting(0)
    with contextlib.closing(reading) as read:
        for videos, clips in batched(read, batch_size):
            yield videos, pinned_to_device(clips, device)


def overlaps(device: str) -> bool:
    """Tell if decoding goes on while the consumer computes.

    Where its threads have all processors, they would wait for each other: then it computes and decodes by turns.
    """
    return device != "cpu" or torch.get_num_threads() == 1 or torch.get_num_threads() < allowed_processors()


def read_ahead(
    work: Callable[[Task], Done], tasks: Iterable[Task], *, more: int, threads: int = THREADS
) -> Generator[Done, None, None]:
    """Do tasks in order, ahead of the consumer: one a thread, and `more`.

    What they decode is decoded in processes where there are several threads, which then wait.
    """
    threads = min(allowed_processors(), threads)
    with in_processes(threads), ThreadPoolExecutor(threads, thread_name_prefix="decode") as pool:
        waiting = iter(tasks)
        pending = deque(pool.submit(work, task) for task in itertools.islice(waiting, threads + more))
        try:
            while pending:
                yield pending.popleft().result()
                pending.extend(pool.submit(work, task) for task in itertools.islice(waiting, 1))
        finally:
            for future in pending:
                future.cancel()


def batched(read: Iterable[Tensor], batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
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
