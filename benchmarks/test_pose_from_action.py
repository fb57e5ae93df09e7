"""A step of the three branches: its batch read from the cache of flow, its vectors computed once."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from harness.datasets.splits import VideoSplit
from harness.system.seeding import seeded
from harness.values import Budget, Video
from harness.video.transforms import normalise
from harness_pose_from_action.pairs import NONE
from harness_pose_from_action.pose_from_action import PoseFromAction
from harness_pose_from_action.pretext_network import PretextLoss
from harness_pose_from_action.vgg_m import VggM

FRAMES, HEIGHT, WIDTH = 60, 240, 320
SESSION = SimpleNamespace(budget=Budget(frames=1, seed=0), rank=0, world=1)


@pytest.fixture
def train(videos, tmp_path, monkeypatch):
    """Videos of UCF101's size as a training split, their flow in a cache of their own."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    records = tuple(
        Video(id=path.stem, path=path, frames=FRAMES, fps=25.0, width=WIDTH, height=HEIGHT, labels={"action": 0})
        for path in videos[:8]
    )
    return VideoSplit("train", records, {"action": ("any",)}).unlabelled()


class OneByOne(nn.Module):
    """The same loss, every triplet through the network by itself."""

    def __init__(self, loss):
        super().__init__()
        self.network = loss.network

    def forward(self, streams, negatives):
        own = torch.arange(len(negatives))
        blocks = torch.cat([own[:, None], negatives], dim=1)
        pairs, columns = (blocks != NONE).nonzero().unbind(1)
        frames = streams["frames"].unflatten(0, (2, -1))[:, pairs].flatten(0, 1)
        vectors = self.network.encode_pairs({"frames": frames, "flow": streams["flow"][blocks[pairs, columns]]})
        return nn.functional.cross_entropy(self.network.logits(*vectors), (columns == 0).long())


@pytest.mark.parametrize(
    ("backbone", "size", "share"),
    [(VggM(width=0.25, size=80, norm="batch"), 8, 0.6), (VggM(), 4, 0.2)],
    ids=["quarter", "paper"],
)
def test_a_step(beside, train, backbone, size, share):
    method = PoseFromAction()
    network = method.build_network(backbone, 0)
    loss = PretextLoss(network).eval()  # statistics of a batch would tell the two apart
    view = method.view(backbone.inputs)
    batch = method.batch(train, view, size, 0, SESSION)  # which computes the flow
    streams = {name: normalise(pixels, network.inputs[name]) for name, pixels in batch.inputs.items()}

    def step(module):
        with seeded(0):
            module.zero_grad()
            value = module(streams, batch.targets)
            value.backward()
        return value

    other = OneByOne(loss)
    torch.testing.assert_close(step(loss), step(other), rtol=1e-4, atol=1e-5)
    ratios = beside(
        lambda: step(loss),
        {
            "every triplet by itself": lambda: step(other),
            "reading the batch": lambda: method.batch(train, view, len(batch.targets), 0, SESSION),
        },
        clips=len(batch.targets),
    )
    assert ratios["every triplet by itself"] > 1.5
    assert ratios["reading the batch"] < share  # it is read in another thread, ahead
