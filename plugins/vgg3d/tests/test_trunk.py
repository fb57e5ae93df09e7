"""A network cut behind a layer, on each frame alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.small_2d import Small2D
from harness.errors import UsageError
from harness.testing import TinyBackbone
from harness_vgg3d.trunk import Trunk, single_frames

CLIPS = torch.randn(2, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))


def small():
    return Small2D().build(seed=0).eval()


def test_maps_are_those_of_each_frame_alone():
    network = small()
    trunk = Trunk(network, "feature_map", 64)
    maps = trunk(CLIPS)
    assert maps.shape == (2, *trunk.shape[:1], 4, *trunk.shape[1:]) == (2, 128, 4, 8, 8)
    for clip in range(2):
        for frame in range(4):
            alone = network.feature_map(CLIPS[clip : clip + 1, :, frame])
            torch.testing.assert_close(maps[clip : clip + 1, :, frame], alone)


def test_permuted_frames_permute_the_axis_of_time_alone():
    trunk, order = Trunk(small(), "feature_map", 64), [2, 0, 3, 1]
    assert torch.equal(trunk(CLIPS[:, :, order]), trunk(CLIPS)[:, :, order])


def test_single_frames_of_a_clip_follow_each_other():
    frames = single_frames(CLIPS)
    assert frames.shape == (8, 3, 1, 64, 64)
    assert torch.equal(frames[5, :, 0], CLIPS[1, :, 1])


def test_what_lies_behind_the_layer_is_removed():
    network = nn.Sequential(nn.Conv3d(3, 4, (1, 3, 3)), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 5))
    trunk = Trunk(network, "1", 8)
    assert trunk.shape == (4, 6, 6)
    assert {name for name, _ in trunk.named_parameters()} == {"network.0.weight", "network.0.bias"}
    trunk(CLIPS[..., :8, :8]).sum().backward()
    assert all(parameter.grad is not None for parameter in trunk.parameters())


def test_a_3d_network_sees_each_frame_as_a_clip():
    trunk = Trunk(TinyBackbone().build(seed=0), "0", 32)
    assert trunk.shape == (8, 16, 16)
    assert trunk(CLIPS[..., :32, :32]).shape == (2, 8, 4, 16, 16)


def test_a_layer_of_vectors_is_refused():
    with pytest.raises(UsageError, match=r"expected a map .* of a frame from layer 'pool', got \(128,\)"):
        Trunk(small(), "pool", 64)
