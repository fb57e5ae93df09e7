"""Hot paths from a file to a vector: small enough for a gate, each with its answer asserted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from harness.backbones.small_3d import Small3D
from harness.encoders.network import NetworkEncoder
from harness.values import VideoBatch
from harness.video.decode import decode
from harness.video.tvl1 import tvl1
from harness.video.write import write_video

FRAMES, HEIGHT, WIDTH = 24, 120, 160


@pytest.fixture
def frames():
    """A soft texture that moves by one pixel a frame, (T, H, W, C) uint8."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    waves = [
        128 + 50 * np.sin((x - t) / 9 + channel) + 50 * np.cos(y / 7) for t in range(FRAMES) for channel in range(3)
    ]
    return np.stack(waves).reshape(FRAMES, 3, HEIGHT, WIDTH).transpose(0, 2, 3, 1).astype(np.uint8)


def test_decode(benchmark, frames, tmp_path):
    path = tmp_path / "video.avi"
    write_video(path, frames, fps=25)
    wanted = np.arange(0, FRAMES, 2)
    clip = benchmark(lambda: decode(path, wanted, total=FRAMES))
    assert np.abs(clip.astype(int) - frames[wanted]).mean() < 5


def test_encode(benchmark):
    encoder = NetworkEncoder.of(Small3D().build(seed=0), Small3D())
    view = Small3D().inputs.view
    clips = torch.zeros(4, 3, view.frames, view.size, view.size, dtype=torch.uint8)
    vectors = benchmark(lambda: encoder.encode(VideoBatch(clips)))
    torch.testing.assert_close(vectors, vectors[:1].expand_as(vectors))


def test_flow(benchmark, frames):
    gray = torch.from_numpy(frames[:2, :64, :96, 1])
    flow = benchmark(lambda: tvl1(gray[:1], gray[1:]))
    assert (flow[0, 0, 8:-8, 8:-8] - 1).abs().mean() < 0.2


def test_training_step(benchmark):
    network = Small3D().build(seed=0)
    view = Small3D().inputs.view
    head = torch.nn.Linear(Small3D().card.dim, 5)
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.01)
    clips = torch.rand(4, 3, view.frames, view.size, view.size, generator=torch.Generator().manual_seed(0))
    targets = torch.arange(4)

    def step():
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(head(network(clips)), targets)
        loss.backward()
        optimizer.step()
        return loss

    assert benchmark(step).isfinite()
