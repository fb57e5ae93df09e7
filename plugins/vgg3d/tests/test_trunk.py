"""A network cut behind a layer, on each frame alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.small_2d import Small2D
from harness.errors import UsageError
from harness.testing import TinyBackbone
from harness_vgg3d import trunk
from harness_vgg3d.trunk import Trunk, on_single_frames

CLIPS = torch.randn(2, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))


def small():
    return Small2D().build(seed=0).eval()


def test_maps_are_those_of_each_frame_alone():
    network = small()
    maps = Trunk(network, "feature_map", 64)(CLIPS)
    assert maps.shape == (2, 128, 4, 8, 8)
    for clip in range(2):
        for frame in range(4):
            alone = network.feature_map(CLIPS[clip : clip + 1, :, frame])
            torch.testing.assert_close(maps[clip : clip + 1, :, frame], alone)


def test_permuted_frames_permute_the_axis_of_time_alone():
    cut, order = Trunk(small(), "feature_map", 64), [2, 0, 3, 1]
    assert torch.equal(cut(CLIPS[:, :, order]), cut(CLIPS)[:, :, order])


def test_frames_of_a_clip_follow_each_other_some_at_a_time(monkeypatch):
    monkeypatch.setattr(trunk, "TOGETHER", 3)
    sizes = []

    def first(frames):
        sizes.append(len(frames))
        return frames[:, :, 0]

    with torch.no_grad():
        frames = on_single_frames(first, CLIPS)
    assert sizes == [3, 3, 2]
    assert frames.shape == (8, 3, 64, 64)
    assert torch.equal(frames[5], CLIPS[1, :, 1])
    assert torch.equal(on_single_frames(first, CLIPS), frames)
    assert sizes[3:] == [8]  # with gradients


def test_what_lies_behind_the_layer_is_removed():
    network = nn.Sequential(nn.Conv3d(3, 4, (1, 3, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    cut = Trunk(network, "1", 8)
    assert cut.shape == (4, 6, 6)
    assert {name for name, _ in cut.named_parameters()} == {"network.0.weight", "network.0.bias"}
    cut(CLIPS[..., :8, :8]).sum().backward()
    assert all(parameter.grad is not None for parameter in cut.parameters())


def test_a_3d_network_sees_each_frame_as_a_clip():
    cut = Trunk(TinyBackbone().build(seed=0), "0", 32)
    assert cut.shape == (8, 16, 16)
    assert cut(CLIPS[..., :32, :32]).shape == (2, 8, 4, 16, 16)


def test_a_layer_of_vectors_is_refused():
    with pytest.raises(UsageError, match=r"expected a map .* of a frame from layer 'pool', got \(128,\)"):
        Trunk(small(), "pool", 64)
