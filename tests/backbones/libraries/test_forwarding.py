"""Forward passes over clips that keep a network's own names."""

from __future__ import annotations

import copy

import torch
from torch import nn

from harness.backbones.libraries.forwarding import on_frames, on_pathways
from harness.cards import View
from harness.export.program import save_program


def image_network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_frames_are_seen_one_by_one_and_in_order():
    plain, clips = image_network(), torch.randn(2, 3, 5, 8, 8)
    wanted = torch.stack([plain(frame) for frame in clips.unbind(2)], dim=1)
    assert torch.allclose(on_frames(image_network(), "sequence")(clips), wanted, atol=1e-6)
    network = on_frames(image_network(), "mean")
    assert torch.allclose(network(clips), wanted.mean(1), atol=1e-6)
    assert network.state_dict().keys() == plain.state_dict().keys()


def test_a_copy_is_one_of_its_own():
    network = on_frames(image_network(), "mean")
    clips = torch.randn(1, 3, 2, 8, 8)
    copied = copy.deepcopy(network)
    before = network(clips)
    with torch.no_grad():
        copied[0].weight.zero_()
    assert torch.equal(network(clips), before)
    assert not torch.allclose(copied(clips), before)


class Pathways(nn.Module):
    """Frames of two pathways beside each other."""

    def forward(self, pathways):
        return torch.cat([frames[:, 0, :, 0, 0] for frames in pathways], dim=1)


def test_the_slow_pathway_has_every_alphath_frame_of_the_fast_one():
    """As `PackPathway` of pytorchvideo's tutorials: frames from the first to the last, evenly."""
    network = on_pathways(Pathways(), 4)
    clips = torch.arange(32.0).view(1, 1, 32, 1, 1).expand(2, 3, 32, 1, 1)
    assert network(clips)[0].tolist() == [0, 4, 8, 13, 17, 22, 26, 31, *range(32)]


def test_torch_exports_it(tmp_path):
    network = on_frames(image_network().eval(), "mean")
    assert save_program(network, View(frames=4, size=8), 3, tmp_path / "network.pt2")
    clips = torch.randn(3, 3, 4, 8, 8)
    exported = torch.export.load(tmp_path / "network.pt2").module()
    assert torch.allclose(exported(clips), network(clips), atol=1e-6)
