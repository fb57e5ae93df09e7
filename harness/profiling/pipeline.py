"""Measure the stages of a clip's way through a network, and the wait for data."""

from __future__ import annotations

import contextlib
import itertools
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from harness.cards import View, WholeVideo
from harness.encoders.network import NetworkEncoder, only_stream
from harness.errors import DataError, UsageError
from harness.functional.standardise import standardise
from harness.interfaces import Backbone, Split
from harness.profiling import timing
from harness.system import progress
from harness.system.environment import hardware
from harness.values import VideoBatch
from harness.video import seek_index
from harness.video.loader import THREADS, clips, cut_clips, video_clips
from harness.video.transforms import normalise

CPU = torch.device("cpu")
REPEATS = 5
STEPS = 300
"""Training steps of a linear head that are timed."""


@dataclass(frozen=True, slots=True)
class Pass:
    """Throughput of a network in a pass over data."""

    clips: int
    clips_per_s: float
    waiting: float
    """Share of the time in which the network waited for data, in [0, 1]."""


@dataclass(frozen=True, slots=True)
class Report:
    """Time of each stage, and the hardware and settings it was measured with."""

    device: str
    """Model of the accelerator or processor that the network runs on."""
    processor: str
    threads: int
    """Threads of torch on the processor."""
    decode_threads: int
    batch_size: int
    milliseconds: dict[str, float]
    """Time per clip of each stage.

    `decode` and `transform` (crops, normalisation) by one thread, `transfer`, `model`.
    """
    frames_per_s: float
    """Frames decoded a second by all threads; 0 where there are no files to decode."""
    first: Pass
    """Pass over videos that this process has not seen before."""
    later: Pass
    """Pass over the same videos again: from memory where they fit."""

    @property
    def shares(self) -> dict[str, float]:
        """Each stage's share of a clip's time, in [0, 1]."""
        total = sum(self.milliseconds.values())
        return {stage: taken / total for stage, taken in self.milliseconds.items()}


def measure(split: Split, backbone: Backbone, *, device: str = "cpu", batch_size: int = 32, batches: int = 8) -> Report:
    """Measure the stages of clips of `split` through a new network of `backbone`.

    The network is in evaluation mode.

    Args:
        split: videos that this process has not read yet.
        backbone: builds the network, and says what it wants to see.
        device: where the network runs.
        batch_size: clips at a time.
        batches: so many in a pass, or what the split has.

    Raises:
        DataError: when the split has no videos, or one does not decode.
        UsageError: when the network wants whole videos, or a number is not positive.
    """
    inputs = only_stream(backbone.inputs)
    view, name = inputs.view, backbone.card.name
    if isinstance(view, WholeVideo) or min(batch_size, batches) < 1:
        msg = (
            f"backbone {name!r}: expected a view of clips and at least 1 batch of 1 clip, "
            f"got {view}, {batches} batches of {batch_size}"
        )
        raise UsageError(msg)
    if not len(split):
        msg = f"split {split.name!r} has no videos to measure"
        raise DataError(msg)
    place = torch.device(device)
    encoder = NetworkEncoder.of(backbone.build(seed=0), backbone)
    warm = torch.zeros(batch_size, 3, view.frames, view.size, view.size, dtype=torch.uint8, device=place)
    with progress.bar("measuring", total=4) as bar:
        encoder.encode(VideoBatch(warm))
        passes = []
        for name in ("first pass", "later pass"):
            passes.append(timed_pass(split, view, encoder.encode, device=device, size=batch_size, batches=batches))
            bar.advance(note=name)
        milliseconds, frames_per_s = _decoding(split, view, batch_size)
        bar.advance(note="decode")
        milliseconds |= _rest(split, encoder, view, place, batch_size)
        bar.advance(note="transform, transfer, model")
    return Report(
        hardware(device),
        hardware("cpu"),
        torch.get_num_threads(),
        timing.decoders(THREADS),
        batch_size,
        milliseconds,
        frames_per_s,
        *passes,
    )


def train_head(vectors: Tensor, labels: Tensor, *, batch_size: int = 256) -> Pass:
    """Train a linear head on features by SGD for `STEPS` steps, and time it.

    The features are put into a random order once, so that a batch is a slice and copies nothing; every epoch goes
    through the batches in another order.

    Args:
        vectors: (N, D) features, on the device that trains.
        labels: (N,) int64 classes, on the same device.
        batch_size: vectors at a time; all of them when there are fewer.
    """
    device = vectors.device
    (points,) = standardise(vectors)
    size = min(batch_size, len(points))
    head = nn.Linear(points.shape[1], int(labels.max()) + 1).to(device)
    optimizer = torch.optim.SGD(head.parameters(), lr=0.1, momentum=0.9, weight_decay=1e-4)
    waited = taken = 0.0
    drawing = _draw_batches(points, labels, size)
    for step in range(STEPS + timing.WARM_UP):
        if step == timing.WARM_UP:
            waited = taken = 0.0
        timing.wait(device)
        start = time.perf_counter()
        inputs, targets = next(drawing)
        timing.wait(device)
        drawn = time.perf_counter()
        optimizer.zero_grad()
        cross_entropy(head(inputs), targets).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        timing.wait(device)
        waited, taken = waited + drawn - start, taken + time.perf_counter() - start
    return Pass(STEPS * size, STEPS * size / taken, waited / taken)


def _draw_batches(points: Tensor, labels: Tensor, size: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(len(points), generator=generator).to(points.device)
    points, labels = points[order], labels[order]
    while True:
        for batch in torch.randperm(len(points) // size, generator=generator).tolist():
            chosen = slice(batch * size, (batch + 1) * size)
            yield points[chosen], labels[chosen]


def timed_pass(
    split: Split,
    view: View | WholeVideo,
    encode: Callable[[VideoBatch], object],
    *,
    device: str,
    size: int,
    batches: int,
) -> Pass:
    """Encode the first batches of a split, and time the wait for each.

    Args:
        split: the videos.
        view: clips that are read.
        encode: takes a batch on the device.
        device: where it computes.
        size: clips at a time.
        batches: so many, or what the split has.

    Raises:
        DataError: when a video does not decode.
    """
    place = torch.device(device)
    seek_index.forget()
    waited, count = 0.0, 0
    with contextlib.closing(clips(split, view, batch_size=size, device=device)) as reading:
        start = asked = time.perf_counter()
        for _, batch in itertools.islice(reading, batches):
            timing.wait(place)
            waited += time.perf_counter() - asked
            encode(VideoBatch(batch))
            timing.wait(place)
            count += len(batch)
            asked = time.perf_counter()
        taken = asked - start
    return Pass(count, count / taken, waited / taken)


def _decoding(split: Split, view: View, batch_size: int) -> tuple[dict[str, float], float]:
    """Milliseconds to decode or else read a clip, and frames a second of all threads."""
    videos = timing.files(split, -(-batch_size // view.count))
    if not videos:
        return {"decode": _milliseconds(lambda: video_clips(split, 0, view), view.count)}, 0.0
    count = len(videos) * view.count
    alone, together = (timing.decode_seconds(videos, view, threads=n, repeats=REPEATS) for n in (1, THREADS))
    frames = len(videos) * view.clips * view.frames
    return {"decode": 1e3 * statistics.median(alone) / count}, frames / statistics.median(together)


def _rest(split: Split, encoder: NetworkEncoder, view: View, device: torch.device, batch_size: int) -> dict[str, float]:
    wanted = only_stream(encoder.inputs)
    frames = split.read(0, [0] * (view.clips * view.frames), short_side=view.short_side)
    batch = timing.batch(split, view, batch_size)
    there = batch.to(device)
    inputs = normalise(there, wanted)
    milliseconds = {
        "transform": _milliseconds(lambda: cut_clips(frames, view), view.count)
        + _milliseconds(lambda: normalise(there, wanted), batch_size, device),
        "transfer": 0.0,
    }
    if device.type == "cuda":
        pinned = batch.pin_memory()
        milliseconds["transfer"] = _milliseconds(lambda: pinned.to(device, non_blocking=True), batch_size, device)
    with torch.inference_mode():
        milliseconds["model"] = _milliseconds(lambda: encoder.module(inputs), batch_size, device)
    return milliseconds


def _milliseconds(run: Callable[[], object], clips: int, device: torch.device = CPU) -> float:
    return 1e3 * statistics.median(timing.seconds(run, device, repeats=REPEATS)) / clips
