"""Trajectories in frames of UCF101's size: speed, memory, time by their number."""

from __future__ import annotations

import itertools
import statistics
import time
import tracemalloc

import cv2
import numpy as np
import pytest
import torch

from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.histograms import Histograms, average_in_time
from harness_dense_trajectories.levels import Levels
from harness_dense_trajectories.motion import OpticalFlow
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import STEPS
from harness_dense_trajectories.tubes import describe

HEIGHT, WIDTH = 240, 320


@pytest.fixture(autouse=True)
def one_thread():
    """Use one thread, like each of the processes that extract side by side."""
    threads = cv2.getNumThreads(), torch.get_num_threads()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    yield
    cv2.setNumThreads(threads[0])
    torch.set_num_threads(threads[1])


def soft(height, width, seed):
    noise = np.random.default_rng(seed).uniform(0, 255, (height, width)).astype(np.float32)
    return cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 2), None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


def video(frames, side=120, textured=WIDTH):
    """Yield frames of a square going to and fro over a panned texture.

    Its left part is as wide as `textured`."""
    back, front = soft(HEIGHT, WIDTH + 240, 0), soft(side, side, 1)
    back[:, textured:] = 90
    for t in range(frames):
        shift = 60 + 50 * np.sin(t / 20)
        frame = cv2.warpAffine(back, np.array([[1, 0, -0.6 * shift], [0, 1, 0.0]]), (WIDTH, HEIGHT))
        left, top = round(10 + 1.4 * shift), round(40 + 0.5 * shift)
        frame[top : top + side, left : left + side] = front
        yield frame


def seconds(work, rounds=3):
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@pytest.mark.parametrize("flow", ["dis", "farneback"])
@pytest.mark.parametrize("detector", ["orb", "sift"])
def test_frames_a_second(beside, benchmark, flow, detector):
    frames = np.stack(list(video(60)))
    settings = Settings(flow=flow, detector=detector)

    def check(table, _):
        assert len(table) > 1000
        on_square = table[:, 1] < 10 + 1.4 * 110 + 120 + 8
        assert on_square.mean() > 0.98
        benchmark.extra_info.update(trajectories=len(table))

    beside(lambda: extract(frames, settings).table, {}, clips=len(frames), rounds=3, check=check)


def test_memory_is_that_of_the_trajectories(benchmark):
    """A video played three times takes more memory only for the further rows."""

    def peak(repeats):
        tracemalloc.start()
        played = extract(itertools.chain.from_iterable(video(60) for _ in range(repeats)))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return highest, sum(part.nbytes for part in (played.table, played.tracks, played.removed))

    extract(video(17))
    (once, rows), (twice, more_rows) = benchmark.pedantic(lambda: (peak(1), peak(3)), rounds=1)
    benchmark.extra_info.update(megabytes_of_60_frames=round(once / 1e6, 1), of_180_frames=round(twice / 1e6, 1))
    assert more_rows > 2.5 * rows
    assert twice - once < 2.1 * (more_rows - rows)  # parts and their concatenation


def test_time_is_linear_in_the_trajectories(benchmark):
    """Three measurements lie on a line, whose offset is the cost of a frame."""
    videos = [
        np.stack(list(video(45, side=side, textured=textured)))
        for side, textured in ((40, 40), (90, 200), (130, WIDTH))
    ]
    settings = Settings(compensate=False)
    counts = [len(extract(frames, settings).table) for frames in videos]
    taken = [seconds(lambda frames=frames: extract(frames, settings)) for frames in videos]
    assert counts[2] > 3 * counts[0]
    slope = (taken[2] - taken[0]) / (counts[2] - counts[0])
    expected = taken[0] + slope * (counts[1] - counts[0])
    benchmark.extra_info.update(microseconds_a_trajectory=round(slope * 1e6, 1), counts=counts)
    benchmark.pedantic(extract, (videos[1], settings), rounds=1)
    assert taken[1] < 1.3 * expected


@pytest.mark.skipif(not torch.cuda.is_available(), reason="described frame by frame without CUDA")
def test_describing_tubes(beside):
    """Describe 3,000 tubes in 40 frames at once, beside frame by frame on the CPU."""
    settings, random = Settings(), np.random.default_rng(0)
    frames = list(video(41))
    between = OpticalFlow(settings, 1)
    pictures, flow = np.stack(frames[:-1]), np.stack([between(*pair) for pair in itertools.pairwise(frames)])
    planes = np.ascontiguousarray(flow.transpose(0, 3, 1, 2))
    start = np.sort(random.integers(0, len(pictures) - STEPS + 1, 3000))
    points = random.uniform(16, (WIDTH - 16, HEIGHT - 16), (3000, 1, 2)) + random.normal(0, 1, (3000, STEPS, 2))
    points = points.astype(np.float32)
    given = [torch.from_numpy(array).cuda() for array in (pictures, planes, start, points)]
    histograms = Histograms(Levels.of(WIDTH, HEIGHT, 1, 2**0.5, 32), settings)

    def frame_by_frame():
        described, window = [], []
        for frame, (picture, motion) in enumerate(zip(pictures, planes, strict=True)):
            first, end = np.searchsorted(start, [frame - STEPS + 1, frame + 1])
            xy = points[np.arange(first, end), frame - start[first:end]]
            window.append((first, histograms([picture], motion.reshape(2, -1), xy, np.zeros(end - first, np.int64))))
            end = np.searchsorted(start, frame - STEPS + 2)
            if end > first:
                rows = np.stack([np.arange(first, end) - begin for begin, _ in window[-STEPS:]], 1)
                described.append(average_in_time([part for _, part in window[-STEPS:]], rows))
        return np.concatenate(described)

    def at_once():
        return describe(*given, settings).cpu()

    def check(described, theirs):
        off = np.abs(described.numpy() - theirs["frame by frame"])
        assert np.quantile(off, 0.99) < 2e-4
        assert off.max() < 5e-3  # sums of float32 integral images

    beside(at_once, {"frame by frame": frame_by_frame}, clips=3000, rounds=3, check=check)
