"""Vectors, layers and unused weights, told by shapes alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.libraries.anatomy import blocks, examine, on_meta, remove
from harness.backbones.libraries.forwarding import on_frames
from harness.backbones.r3d_18 import R3D18
from harness.cards import View

VIEW = View(frames=4, size=8)


class Network(nn.Module):
    """Vectors of 5 values, a pooler that is computed for nothing, and a token that nobody reads."""

    def __init__(self):
        super().__init__()
        self.maps = nn.Conv3d(3, 5, (1, 3, 3), padding=(0, 1, 1))
        self.pooler = nn.Sequential(nn.Linear(5, 7), nn.Linear(7, 2))
        self.inner = nn.Linear(5, 5)
        self.token = nn.Parameter(torch.zeros(3))

    def forward(self, clips):
        vectors = self.inner(self.maps(clips).mean((2, 3, 4)))
        if self.pooler is not None:
            self.pooler(vectors)
        return vectors


def meta(network):
    return network.to("meta")


def test_what_a_network_has():
    network = meta(Network())
    anatomy = examine(network, VIEW, ["maps", "absent", "pooler", "inner"])
    assert (anatomy.shape, anatomy.layers, anatomy.spatial, anatomy.tokens) == ((5,), ("maps", "inner"), "maps", "")
    assert set(anatomy.unused) == {"token", "pooler"}
    assert {name for name, _ in network.named_parameters()} == {
        *("maps.weight", "maps.bias", "inner.weight", "inner.bias")
    }


class Transformer(nn.Module):
    """Tokens of patches, two blocks with branches, a norm, and the vector of the first token."""

    def __init__(self, *, channels_last=False):
        super().__init__()
        self.patches = nn.Conv3d(3, 6, (4, 2, 2), stride=(4, 2, 2))
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Linear(6, 6), nn.GELU()) for _ in range(2)))
        self.norm = nn.LayerNorm(6)
        self.channels_last = channels_last

    def forward(self, clips):
        patches = self.patches(clips).squeeze(2).permute(0, 2, 3, 1)
        tokens = self.norm(self.blocks(patches if self.channels_last else patches.flatten(1, 2)))
        return tokens[:, 0, 0] if self.channels_last else tokens[:, 0]


def test_the_last_tokens_are_those_of_the_network_itself():
    anatomy = examine(meta(Transformer()), VIEW, ["blocks.0", "blocks.1"])
    assert (anatomy.tokens, anatomy.spatial, anatomy.layers) == ("norm", "", ("blocks.0", "blocks.1"))
    network = Transformer()
    network.norm = nn.Sequential()
    assert examine(meta(network), VIEW, ["blocks.0", "norm"]).tokens == "norm"
    assert examine(meta(Transformer(channels_last=True)), VIEW, ["blocks.0", "blocks.1"]).tokens == ""


def test_what_is_not_used_gives_no_tokens():
    network = Transformer()
    network.unread = nn.Linear(6, 6)
    network.norm.register_forward_hook(lambda module, inputs, output: (network.unread(output), None)[1])
    anatomy = examine(meta(network), VIEW, ["blocks.0"])
    assert (anatomy.unused, anatomy.tokens) == (("unread",), "norm")


@pytest.mark.parametrize("pooled", [nn.Flatten(), nn.AdaptiveAvgPool3d(1)])
def test_the_last_layer_of_maps_is_spatial(pooled):
    network = nn.Sequential(nn.Conv3d(3, 5, 3), nn.ReLU(), pooled, nn.Flatten(), nn.LazyLinear(7))
    network(torch.zeros(1, 3, 4, 8, 8))
    assert examine(meta(network), VIEW, ["0", "1", "2", "4"]).spatial == "1"
    assert examine(meta(network), VIEW, []).spatial == ""


def test_maps_with_channels_last_are_not():
    anatomy = examine(meta(Transformer(channels_last=True)), VIEW, ["blocks.0", "norm"])
    assert (anatomy.layers, anatomy.spatial) == (("blocks.0", "norm"), "")


def test_a_sequence_has_a_vector_for_each_frame():
    network = on_frames(nn.Sequential(nn.Flatten(), nn.Linear(192, 7)), "sequence")
    assert examine(meta(network), VIEW, []).shape == (4, 7)


def test_what_is_removed_computes_as_before():
    torch.manual_seed(0)
    network = Network()
    clips = torch.randn(2, 3, 4, 8, 8)
    before = network(clips)
    remove(network, examine(meta(Network()), VIEW, []).unused)
    assert torch.equal(network(clips), before)
    network(clips).sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


@pytest.mark.parametrize(("network", "got"), [(nn.Identity(), r"\(2, 3, 4, 8, 8\)"), (nn.Flatten(0), r"\(1536,\)")])
def test_no_vector(network, got):
    with pytest.raises(ValueError, match=rf"expected vectors \(2, dim\) for clips \(2, 3, 4, 8, 8\), got {got}"):
        examine(network, VIEW, [])


class Reads(nn.Linear):
    """A layer whose constructor reads a number out of a tensor."""

    def __init__(self):
        super().__init__(3, torch.tensor(4.0).item().__int__())


def test_a_constructor_that_reads_tensors_has_its_shapes_too():
    before = torch.get_rng_state()
    assert on_meta(Reads).weight.shape == (4, 3)
    assert on_meta(Reads).weight.device.type == "meta"
    assert torch.equal(torch.get_rng_state(), before)


def test_blocks_are_the_children_of_the_outermost_module_with_several():
    assert blocks(R3D18().build(seed=0)) == ("stem", "layer1", "layer2", "layer3", "layer4")
    assert blocks(nn.Linear(2, 2)) == ()
    assert blocks(Network(), least=2) == ("maps", "pooler", "inner")
