"""Forward passes over clips that keep a network's own names."""

from __future__ import annotations

import copy

import torch
from torch import nn

from harness.backbones.libraries.forwarding import averaged_frames, frame_vectors, replace_forward


def image_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_frames_are_seen_one_by_one_and_in_order():
    plain, clips = image_network(), torch.randn(2, 3, 5, 8, 8)
    wanted = torch.stack([plain(frame) for frame in clips.unbind(2)], dim=1)
    assert torch.allclose(frame_vectors(plain, clips), wanted, atol=1e-6)
    network = replace_forward(image_network(), averaged_frames)
    assert torch.allclose(network(clips), wanted.mean(1), atol=1e-6)
    assert network.state_dict().keys() == plain.state_dict().keys()


def test_a_copy_is_one_of_its_own():
    network = replace_forward(image_network(), averaged_frames)
    clips = torch.randn(1, 3, 2, 8, 8)
    copied = copy.deepcopy(network)
    before = network(clips)
    with torch.no_grad():
        copied[0].weight.zero_()
    assert torch.equal(network(clips), before)
    assert not torch.allclose(copied(clips), before)
