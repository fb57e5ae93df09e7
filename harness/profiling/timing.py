"""Time the steps of a clip's way from a file to a vector."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor

from harness.cards import View, WholeVideo
from harness.errors import DataError
from harness.interfaces import Split
from harness.system.processes import allowed_processors
from harness.values import Video
from harness.video import seek_index
from harness.video.container import opened
from harness.video.decode import decode, in_use
from harness.video.decode_processes import DecodeProcesses, in_processes
from harness.video.loader import video_clips
from harness.video.sampling import clip_frames

WARM_UP = 3


def seconds(run: Callable[[], object], device: torch.device, *, repeats: int, warm_up: int = WARM_UP) -> list[float]:
    """Time each of `repeats` calls in seconds, with their work on the device."""
    for _ in range(warm_up):
        run()
    taken = []
    for _ in range(repeats):
        wait(device)
        start = time.perf_counter()
        run()
        wait(device)
        taken.append(time.perf_counter() - start)
    return taken


def wait(device: torch.device) -> None:
    """Wait until a CUDA device has done its work; others have."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def files(split: Split, count: int) -> list[Video]:
    """Choose at most `count` videos that are files to decode, spread over the split."""
    there = [video for video in split.videos if video.path.exists()]
    if not there or not _decodes(there[0]):
        return []
    wanted = min(count, len(there))
    return [there[index * len(there) // wanted] for index in range(wanted)]


def decoders(threads: int) -> int:
    """Number of processes that so many threads decode in: at most one a processor."""
    return min(threads, allowed_processors())


def decode_seconds(
    videos: Sequence[Video], view: View | WholeVideo, *, threads: int, repeats: int, warm_up: int = WARM_UP
) -> list[float]:
    """Time the decoding of the clips of all `videos`, each time as the first time.

    Several threads decode in as many processes, as the loader's do.
    """
    workers = decoders(threads)
    with in_processes(workers), ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        decoder = in_use()
        processes = decoder if isinstance(decoder, DecodeProcesses) and workers > 1 else None
        if processes is not None:
            processes.start()

        def run() -> None:
            seek_index.forget()  # what a file's first visit learns would help the next one
            if processes is not None:
                processes.forget()
            list(pool.map(lambda video: decoded(video, view), videos))

        return seconds(run, torch.device("cpu"), repeats=repeats, warm_up=warm_up)


def decoded(video: Video, view: View | WholeVideo) -> Tensor:
    """Decode the frames of a file's clips, (clips * frames, H, W, C) uint8, uncached."""
    chosen = clip_frames(video.frames, view).flatten()
    short_side = None if isinstance(view, WholeVideo) else view.short_side
    return torch.from_numpy(decode(video.path, chosen.numpy(), short_side=short_side, total=video.frames))


def batch(split: Split, view: View | WholeVideo, size: int) -> Tensor:
    """Batch of clips of the first videos, repeated when few, (size, C, T, H, W) uint8."""
    read: list[Tensor] = []
    for index in range(len(split)):
        read.append(video_clips(split, index, view))
        if sum(map(len, read)) >= size:
            break
    clips = torch.cat(read)
    return clips[torch.arange(size) % len(clips)]


def _decodes(video: Video) -> bool:
    """Tell if the file is a video or image, not an array of many images."""
    try:
        with opened(video.path):
            return True
    except DataError as error:
        return error.reason not in ("not-video", "no-video-stream")
