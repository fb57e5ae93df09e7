"""Throughput: speed, memory, parameters and operations of an encoder."""

from __future__ import annotations

import contextlib
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from harness.cards import WholeVideo
from harness.datasets.splits import VideoSplit
from harness.encoders.network import prepared
from harness.errors import DataError, UsageError
from harness.evaluators.cards import THROUGHPUT
from harness.evaluators.shown_frames import expect_frames
from harness.functional.autocast import autocast
from harness.profiling import pipeline, timing
from harness.system import progress
from harness.system.environment import hardware
from harness.values import Evaluation, Score, VideoBatch
from harness.video.decode import decode
from harness.video.loader import THREADS

if TYPE_CHECKING:
    from harness.cards import EvaluatorCard, View
    from harness.interfaces import Dataset, FrozenEncoder, Split, Trainable
    from harness.values import Encoding, Promise

BATCHES = 4
"""Batches of files that are encoded to time the wait for data."""


class Throughput:
    """Clips a second to decode, transfer, encode and train on; size and operations.

    Only numbers of one device, number of threads, version of torch and batch size are ranked together. Memory is that
    of a CUDA device, transfer too; on a CPU decoded videos lie in the same memory, so it is left out.

    Args:
        batch_size: clips at a time; whole videos are taken one by one.
        repeats: timed runs of each stage.

    Raises:
        UsageError: when an option is impossible.
    """

    card: ClassVar[EvaluatorCard] = THROUGHPUT

    def __init__(self, batch_size: int = 32, repeats: int = 10) -> None:
        if batch_size < 1 or repeats < 1:
            msg = f"batch_size and repeats must be at least 1, got {batch_size} and {repeats}"
            raise UsageError(msg)
        self.batch_size = batch_size
        self.repeats = repeats

    def encodings(self, promise: Promise, data: Dataset, *, seed: int) -> tuple[Encoding, ...]:
        """Nothing: clips are encoded anew each time."""
        return ()

    def evaluate(self, encoder: FrozenEncoder, data: Dataset, *, seed: int) -> Evaluation:
        """Measure `encoder` on clips of the test split of `data`; `seed` changes nothing.

        Raises:
            DataError: when the test split has no videos, or one does not decode.
            UsageError: when the network sees optical flow.
        """
        network = encoder.network()
        if network is not None:
            expect_frames(network.inputs, self.card.name)
        del network  # or the memory of encoding would have the copy's weights
        split = data.split("test")
        if not len(split):
            msg = f"split 'test' of data set {data.card.name!r} has no videos"
            raise DataError(msg)
        device = torch.device(encoder.device)
        measured = _Measured(device, self.repeats)
        with progress.bar("throughput", total=4) as bar:
            view = encoder.promise.view
            self._decoding(measured, split, view)
            bar.advance(note="decoding")
            size = 1 if isinstance(view, WholeVideo) else self.batch_size  # whole videos differ in size
            batch = timing.batch(split, view, size)
            if device.type == "cuda":
                pinned = batch.pin_memory()
                measured.speed("transfer", len(batch), lambda: pinned.to(device, non_blocking=True))
            bar.advance(note="transfer")
            clips = VideoBatch(batch.to(device))
            with measured.memory("encode"):
                measured.speed("encode", len(batch), lambda: encoder.encode(clips))
            self._waiting(measured, encoder, split)
            bar.advance(note="encoding")
            held = measured.held()
            network = encoder.network()
            if network is not None:
                _network(measured, network, clips, own=measured.held() - held)
            bar.advance(note="training")
        return Evaluation(
            tuple(
                Score(metric.id, measured.values[metric.id])
                for metric in self.card.metrics
                if metric.id in measured.values
            ),
            notes={"batch_size": size, "decode_threads": timing.decoders(THREADS), "spread": measured.spread},
            conditions={
                "device": hardware(encoder.device),
                "processor": hardware("cpu"),
                "threads": torch.get_num_threads(),
                "torch": str(torch.__version__),
            },
        )

    def _decoding(self, measured: _Measured, split: Split, view: View | WholeVideo) -> None:
        """Time decoding a batch of clips or more, from files spread over the split."""
        videos = timing.files(split, -(-self.batch_size // view.count))
        if videos:
            seconds = timing.decode_seconds(videos, view, threads=THREADS, repeats=self.repeats)
            measured.add("decode", len(videos) * view.count, seconds)

    def _waiting(self, measured: _Measured, encoder: FrozenEncoder, split: Split) -> None:
        """Measure the share of the time that encoding waits for batches of clips of files."""
        view = encoder.promise.view
        videos = timing.files(split, BATCHES * -(-self.batch_size // view.count))
        if videos:
            files = _Files(split.name, videos)
            device, size = encoder.device, self.batch_size
            timed = pipeline.timed_pass(files, view, encoder.encode, device=device, size=size, batches=BATCHES)
            measured.values["encode_waiting"] = timed.waiting


class _Files(VideoSplit):
    """Videos that are decoded each time, as in the first epoch of a large data set."""

    def read(self, index: int, frames: Sequence[int] | None = None, *, short_side: int | None = None) -> Tensor:
        video = self.videos[index]
        return torch.from_numpy(decode(video.path, frames, short_side=short_side, total=video.frames))


@dataclass
class _Measured:
    """Values measured so far."""

    device: torch.device
    repeats: int
    values: dict[str, float] = field(default_factory=dict)
    spread: dict[str, list[float]] = field(default_factory=dict)
    """Minimum and maximum over the repeats."""

    def speed(self, stage: str, clips: int, run: Callable[[], object]) -> None:
        """Time `run`, which works through `clips`: clips a second, after a warm-up."""
        self.add(stage, clips, timing.seconds(run, self.device, repeats=self.repeats))

    def add(self, stage: str, clips: int, seconds: Sequence[float]) -> None:
        """Add clips a second: the median over repeats of `clips` in `seconds` each."""
        speeds = [clips / taken for taken in seconds]
        name = f"{stage}_clips_per_s"
        self.values[name], self.spread[name] = statistics.median(speeds), [min(speeds), max(speeds)]

    def held(self) -> int:
        """Bytes that torch's tensors take on a CUDA device."""
        return torch.cuda.memory_allocated(self.device) if self.device.type == "cuda" else 0

    @contextlib.contextmanager
    def memory(self, stage: str, *, without: int = 0) -> Iterator[None]:
        """Measure the peak of torch's tensors on a CUDA device during the block, in MiB.

        Less `without` bytes, which are not needed in it.
        """
        if self.device.type != "cuda":
            yield
            return
        timing.wait(self.device)
        torch.cuda.reset_peak_memory_stats(self.device)
        yield
        timing.wait(self.device)
        self.values[f"{stage}_memory"] = (torch.cuda.max_memory_allocated(self.device) - without) / 2**20


def _network(measured: _Measured, given: Trainable, clips: VideoBatch, *, own: int) -> None:
    """Measure parameters and operations of a network, and the speed of training it.

    The encoder's own network lies beside this copy, in `own` bytes of the device.
    """
    device = clips.clips.device
    network = given.module.to(device)
    parameters = list(network.requires_grad_(True).parameters())
    measured.values["parameters"] = sum(parameter.numel() for parameter in parameters) / 1e6
    inputs = prepared(clips, given.inputs)
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network.eval()(prepared(VideoBatch(clips.clips[:1]), given.inputs))
    if counter.get_total_flops():
        measured.values["operations"] = counter.get_total_flops() / 1e9
    if not parameters:
        return
    optimizer = torch.optim.SGD(parameters, lr=0.0, momentum=0.9)  # weights stay, so that no loss diverges
    network.train()

    def step() -> None:
        optimizer.zero_grad()
        with autocast(device, given.precision):
            loss = network(inputs).float().square().mean()
        loss.backward()
        optimizer.step()

    with torch.random.fork_rng([device] if device.type == "cuda" else []), measured.memory("train", without=own):
        measured.speed("train", len(clips), step)
