"""The card of speed and size."""

from __future__ import annotations

from typing import Literal

from harness.cards import EvaluatorCard, Metric


def _metric(
    name: str, title: str, unit: Literal["clips/s", "MiB", "GFLOP", "M"], *, higher_is_better: bool = False
) -> Metric:
    return Metric(id=name, title=title, unit=unit, higher_is_better=higher_is_better)


THROUGHPUT = EvaluatorCard(
    name="throughput",
    summary="Clips a second to decode, transfer, encode and train on; memory, parameters and operations.",
    protocol=(
        "Clips of the encoder's own view, in batches of the option batch_size; median over repeats after a warm-up, "
        "the accelerator synchronised before each look at the clock. Decoding: files of the test split, from their "
        "start, past the frame cache, in the loader's threads, the system's file cache warm. Transfer: from pinned "
        "memory. Training: forward, backward and a step of SGD with momentum on a copy, in bfloat16 on CUDA as in "
        "every fit. Memory: the most that torch held on CUDA. Operations: convolutions, matrix products and attention "
        "of one clip, a multiply-add counted as 2. What cannot be measured is left out"
    ),
    time=True,
    metrics=(
        _metric("encode_clips_per_s", "Encoding", "clips/s", higher_is_better=True),
        _metric("train_clips_per_s", "Training", "clips/s", higher_is_better=True),
        _metric("decode_clips_per_s", "Decoding", "clips/s", higher_is_better=True),
        _metric("transfer_clips_per_s", "Transfer to the device", "clips/s", higher_is_better=True),
        _metric("encode_memory", "Peak memory of encoding", "MiB"),
        _metric("train_memory", "Peak memory of training", "MiB"),
        _metric("parameters", "Parameters", "M"),
        _metric("operations", "Operations of a clip", "GFLOP"),
    ),
)
