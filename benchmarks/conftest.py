"""Videos to measure on, and how a measurement is recorded."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from harness.video.write import write_video

FRAMES, HEIGHT, WIDTH = 60, 240, 320

collect_ignore = ["torchcodec_worker.py"]
"""A program of its own, which finds its libraries only as such."""


@pytest.fixture(scope="session")
def videos(tmp_path_factory):
    """24 AVI files of UCF101's size, moving texture over texture, soft as a camera's, a key frame every 12 frames."""
    folder = tmp_path_factory.mktemp("videos")
    random = np.random.default_rng(0)
    paths = []
    for number in range(24):
        tints = random.uniform(0.5, 1, (2, 3))
        back = (random.uniform(0, 255, (40, 54, 1)) * tints[0]).astype(np.uint8).repeat(8, 0).repeat(8, 1)
        front = (random.uniform(0, 255, (48, 48, 1)) * tints[1]).astype(np.uint8)
        frames = np.empty((FRAMES, HEIGHT, WIDTH, 3), np.uint8)
        for t in range(FRAMES):
            frames[t] = np.roll(back, (t // 2, t), (0, 1))[:HEIGHT, :WIDTH]
            top, left = 20 + 2 * t, 40 + 3 * t
            frames[t, top : top + 48, left : left + 48] = front[: HEIGHT - top, : WIDTH - left]
        paths.append(folder / f"{number:02d}.avi")
        write_video(paths[-1], np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames]), fps=25)
    return paths


@pytest.fixture
def beside(benchmark):
    """Time ours with pytest-benchmark and a peer in turns with it; ratios go into `extra_info`.

    Those of medians are what is measured; those of the fastest rounds (`at_best`) suffer less from other processes.
    """

    def beside(ours: Callable[[], object], peers: dict[str, Callable[[], object]], *, clips: int, rounds: int = 5):
        seconds: dict[str, list[float]] = {name: [] for name in ["ours", *peers]}
        turns = list({"ours": ours, **peers}.items())
        for number in range(rounds):
            random.Random(number).shuffle(turns)  # what ran just before leaves caches warm or cold
            for name, function in turns:
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        benchmark.extra_info.update(
            clips_per_s=round(clips / medians["ours"], 2),
            threads=torch.get_num_threads(),
            times_as_fast_as={name: round(medians[name] / medians["ours"], 3) for name in peers},
            at_best={name: round(min(seconds[name]) / min(seconds["ours"]), 3) for name in peers},
        )
        benchmark.pedantic(ours, rounds=rounds, warmup_rounds=0)
        return benchmark.extra_info["times_as_fast_as"]

    return beside
