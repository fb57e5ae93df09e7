"""Videos to measure on, and how a measurement is recorded."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType

import cv2
import numpy as np
import pytest
import torch

from benchmarks import footage
from benchmarks.results.side import OURS, SIDE, Check
from harness.video.write import write_video

FRAMES, HEIGHT, WIDTH = 60, 240, 320

collect_ignore = ["torchcodec_worker.py", "pytorchvideo_peer.py"]
"""A program of its own, which finds its libraries only as such, and what needs a peer that may not be installed."""


@pytest.fixture(scope="session")
def footage_folder(request, tmp_path_factory):
    """A folder for encoded footage; sides in processes of their own have it in common."""
    side = request.config.stash.get(SIDE, None)
    return tmp_path_factory.mktemp("footage") if side is None else side.footage


@pytest.fixture(scope="session")
def footage_files(footage_folder):
    """Give the files of the footage by suffix, codec and frames from key frame to key frame."""

    def files(suffix: str, codec: str, gop: int):
        paths = [footage_folder / f"{codec}-{gop}-{number}{suffix}" for number in range(len(footage.LENGTHS))]
        for path, frames in zip(paths, [] if paths[-1].exists() else footage.footages(), strict=False):
            footage.encode(path, codec, gop, frames)
        return paths

    return files


@pytest.fixture(scope="session")
def videos(footage_folder):
    """24 AVI files of UCF101's size, moving texture over texture, soft as a camera's, a key frame every 12 frames."""
    if (last := footage_folder / "23.avi").exists():
        return sorted(last.parent.glob("[0-9][0-9].avi"))
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
        paths.append(footage_folder / f"{number:02d}.avi")
        write_video(paths[-1], np.stack([cv2.GaussianBlur(frame, (0, 0), 2) for frame in frames]), fps=25)
    return paths


@pytest.fixture
def beside(request):
    """Assert the answers, then time ours with pytest-benchmark and the peers in turns with it.

    Ratios go into `extra_info`. Those of medians are what is measured; those of the fastest rounds (`at_best`) suffer
    less from other processes. Under `python -m benchmarks.results` each side runs in a process of its own instead.
    """

    def beside(
        ours: Callable[[], object],
        peers: dict[str, Callable[[], object]],
        *,
        clips: int,
        rounds: int = 5,
        check: Check | None = None,
        answers: Mapping[str, Callable[[], object]] = MappingProxyType({}),
    ):
        """Give each peer's time over ours.

        Args:
            check: called with our answer and a mapping of the peers' before anything is timed. Say no answer before
                `beside`: a process that measures one side runs nothing of the others.
            answers: what gives a side's answer, where its timed call does not.
        """
        sides = {OURS: ours, **peers}
        if (side := request.config.stash.get(SIDE, None)) is not None:
            side.serve(sides, answers, items=clips, check=check)
        benchmark = request.getfixturevalue("benchmark")
        if check is not None:
            given = {name: answers.get(name, work)() for name, work in sides.items()}
            check(given.pop(OURS), given)
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        turns = list(sides.items())
        for number in range(rounds):
            random.Random(number).shuffle(turns)  # what ran just before leaves caches warm or cold
            for name, function in turns:
                start = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - start)
        medians = {name: statistics.median(values) for name, values in seconds.items()}
        benchmark.extra_info.update(
            clips_per_s=round(clips / medians[OURS], 2),
            threads=torch.get_num_threads(),
            times_as_fast_as={name: round(medians[name] / medians[OURS], 3) for name in peers},
            at_best={name: round(min(seconds[name]) / min(seconds[OURS]), 3) for name in peers},
        )
        benchmark.pedantic(ours, rounds=rounds, warmup_rounds=0)
        return benchmark.extra_info["times_as_fast_as"]

    return beside
