"""Batches for an encoder: clips of a split, with flow where it asks for it."""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Generator, Iterator, Mapping

import torch
from torch import Tensor

from harness.cards import View, WholeVideo
from harness.errors import UsageError
from harness.interfaces import Split
from harness.system.prefetch import pinned_to_device
from harness.values import Inputs, VideoBatch
from harness.video.flow import flip_flow
from harness.video.loader import FEW, THREADS, batched, clips, overlaps, read_ahead
from harness.video.sampling import clip_frames
from harness.video.transforms import crops


def batches(
    split: Split,
    view: View | WholeVideo,
    inputs: Inputs | Mapping[str, Inputs] | None,
    *,
    batch_size: int,
    device: str,
    first: int = 0,
) -> Iterator[tuple[int, VideoBatch]]:
    """Iterate over all clips of a split: position of a batch's first clip, batch.

    Args:
        split: whose videos.
        view: clips, crops, frames, stride and size.
        inputs: of the network; None reads no flow.
        batch_size: clips at a time.
        device: of the batches.
        first: position of the clip that is read first.

    Raises:
        DataError: when a video does not decode.
        UsageError: when flow of whole videos is asked for.
    """
    streams = [] if inputs is None else [inputs] if isinstance(inputs, Inputs) else list(inputs.values())
    wants_flow = any(stream.kind == "flow" for stream in streams)
    with contextlib.ExitStack() as stack:
        reading = stack.enter_context(
            contextlib.closing(clips(split, view, batch_size=batch_size, device=device, first=first))
        )
        if not wants_flow:
            for start, frames in reading:
                yield start, VideoBatch(frames)
            return
        flows = stack.enter_context(
            contextlib.closing(_flows(split, view, batch_size=batch_size, device=device, first=first))
        )
        for (start, frames), flow in zip(reading, flows, strict=True):
            yield start, VideoBatch(frames, flow)


def _flows(
    split: Split, view: View | WholeVideo, *, batch_size: int, device: str, first: int
) -> Generator[Tensor, None, None]:
    """Read flow (B, 2, T, size, size) ahead of the consumer, of each video once."""
    if isinstance(view, WholeVideo):
        msg = "expected a view of clips for optical flow, got whole videos"
        raise UsageError(msg)
    read = functools.partial(video_flow, split, view=view, device=device)
    videos = range(first // view.count, len(split))
    with contextlib.ExitStack() as stack:
        flows: Iterator[Tensor] = map(read, videos)
        if overlaps(device):
            large = view.count > batch_size
            more = 0 if large else -(-batch_size // view.count)
            ahead = read_ahead(read, videos, more=more, threads=FEW if large else THREADS)
            flows = stack.enter_context(contextlib.closing(ahead))
        begun = (flow[first % view.count :] for flow in itertools.islice(flows, 1))
        for _, flow in batched(itertools.chain(begun, flows), batch_size):
            yield pinned_to_device(flow, device)


def video_flow(split: Split, index: int, view: View, device: str = "cpu") -> Tensor:
    """Flow of all clips and crops of a video, (V, 2, T, size, size) float32 pixels.

    From each frame to the next one of the video; of the last frame, which has none, the one before. Mirror images have
    mirrored flow.

    Raises:
        DataError: when the video is an image or does not decode.
    """
    n_frames = split.videos[index].frames
    frames = clip_frames(n_frames, view).clamp(max=n_frames - 2)
    flow = split.flow(index, frames.flatten().tolist(), short_side=view.short_side, device=device)
    stacked = flow.view(view.clips, view.frames, *flow.shape[1:]).transpose(1, 2)  # (clips, 2, T, H, W)
    if view.crops < 10:
        return crops(stacked, view.size, view.crops).flatten(0, 1)
    five = crops(stacked, view.size, 5)  # (clips, 5, 2, T, size, size)
    mirrored = flip_flow(five.movedim(2, 3)).movedim(3, 2)
    return torch.cat([five, mirrored], dim=1).flatten(0, 1)
