"""Batches for an encoder: clips of a split, with flow where it asks for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from harness.cards import View, WholeVideo
from harness.errors import UsageError
from harness.interfaces import Split
from harness.values import Inputs, VideoBatch
from harness.video.flow import flip_flow
from harness.video.loader import clips
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
    with contextlib.closing(clips(split, view, batch_size=batch_size, device=device, first=first)) as reading:
        for start, frames in reading:
            flow = _flow(split, view, start, len(frames), device) if wants_flow else None
            yield start, VideoBatch(frames, flow)


def _flow(split: Split, view: View | WholeVideo, start: int, count: int, device: str) -> Tensor:
    """Flow of `count` clips from position `start` on, (count, 2, T, size, size)."""
    if isinstance(view, WholeVideo):
        msg = "expected a view of clips for optical flow, got whole videos"
        raise UsageError(msg)
    videos = range(start // view.count, -(-(start + count) // view.count))
    joined = torch.cat([video_flow(split, video, view, device) for video in videos])
    skipped = start - videos.start * view.count
    return joined[skipped : skipped + count].to(device)


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
