"""A training step of VGG-3D's layers on maps from the disk, beside computing the maps anew."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.backbones.small_2d import Small2D
from harness.cards import View
from harness.testing.fixtures import MovingSquares
from harness.video.loader import video_clips
from harness.video.transforms import normalise
from harness_vgg3d.frame_network import LossOnMaps
from harness_vgg3d.head import Head
from harness_vgg3d.maps import FrameMaps
from harness_vgg3d.trunk import Trunk

CLIPS, FRAMES = 16, 30
INPUTS = replace(Small2D.inputs, view=View(frames=FRAMES, stride="uniform", size=64, resize=73))


@pytest.fixture
def step(tmp_path, monkeypatch):
    """A step of the 3D layers on given maps, which gives its loss; the stored maps, and how to compute them."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    train, videos = MovingSquares().split("train"), range(CLIPS)
    labels = torch.tensor([train.videos[video].labels["action"] for video in videos])
    trunk = Trunk(Small2D().build(seed=0), "feature_map", 64).eval().requires_grad_(False)
    head = Head((128, FRAMES, 8, 8), channels=64, units=256, kernel=3, dropout=0.0)
    loss = LossOnMaps(head, torch.nn.Linear(256, 4))
    stored = FrameMaps(trunk, INPUTS).of(train)

    def compute():
        clips = torch.cat([video_clips(train, video, INPUTS.view) for video in videos])
        with torch.no_grad():
            return trunk(normalise(clips, INPUTS))

    def learn(maps):
        loss.zero_grad()
        loss.waiting.append(maps)
        value = loss({}, labels)
        value.backward()
        return float(value.detach())

    return learn, lambda: stored.read(videos), compute


def test_beside_recomputing(beside, step):
    learn, read, compute = step
    in_memory = read()
    assert learn(read()) == pytest.approx(learn(compute()), rel=1e-3)

    times = beside(
        lambda: learn(read()),
        {"maps computed in the step": lambda: learn(compute()), "the 3D layers alone": lambda: learn(in_memory)},
        clips=CLIPS,
        rounds=7,
    )
    assert times["maps computed in the step"] > 1.1
    assert times["the 3D layers alone"] > 0.7
