"""Memory of encoding: the same for 1,000 and for 20,000 videos, whose features are written as they come."""

from __future__ import annotations

import subprocess
import sys

import pytest

DIM = 2048
MIB = 2**20
WORKER = f"""
import sys, threading, tempfile, time
from pathlib import Path

import torch
from torch import nn

from harness import Encoding, Inputs, NetworkEncoder, View
from harness.encoders.frozen import CachedEncoder
from harness.interfaces import Video


class Split:
    name, labelled, classes, left_out = "test", False, {{}}, {{}}

    def __init__(self, count):
        video = Video(id="v", path=Path("v"), frames=1, fps=1.0, width=8, height=8)
        self.videos = [video] * count
        self.manifest = str(count)

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames=None, *, short_side=None):
        return torch.full((1, 8, 8, 3), index % 256, dtype=torch.uint8)


def anonymous():
    (line,) = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon")]
    return int(line.split()[1]) * 1024


def watch():
    while running:
        peaks.append(anonymous())
        time.sleep(0.005)


network = nn.Sequential(nn.Flatten(), nn.Linear(192, {DIM}))
encoder = NetworkEncoder(network, Inputs(view=View(frames=1, size=8)))
with tempfile.TemporaryDirectory() as folder:
    frozen = CachedEncoder(encoder, key="memory", folder=Path(folder))
    frozen.features(Split(200))  # what is allocated once
    split, peaks, running = Split(int(sys.argv[1])), [anonymous()], True
    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.perf_counter()
    (block,) = frozen.features(split).blocks
    taken = time.perf_counter() - started
    running = False
    watcher.join()
    assert block.shape == (len(split), 1, {DIM})
    assert (block[0] == block[256]).all() and not (block[0] == block[1]).all()
    print(max(peaks) - peaks[0], taken)
"""


def grown(count):
    """Bytes that memory grew by at most while `count` videos were encoded, and videos a second."""
    command = [sys.executable, "-c", WORKER, str(count)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return int(output[0]), count / float(output[1])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_encoding_is_constant_in_the_number_of_videos(benchmark):
    few, speed = benchmark.pedantic(grown, args=(1_000,), rounds=1)
    many, _ = grown(20_000)
    benchmark.extra_info |= {"videos": [1_000, 20_000], "MiB": [few / MIB, many / MIB], "videos_per_s": speed}
    assert many - few < 24 * MIB  # the features of 20,000 videos take 156 MiB
