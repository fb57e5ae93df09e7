"""Vectors, layers and unused weights, told by shapes alone."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.libraries.anatomy import blocks, examine, on_meta, remove
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
    assert (anatomy.dim, anatomy.layers, anatomy.spatial) == (5, ("maps", "inner"), "")
    assert set(anatomy.unused) == {"token", "pooler"}
    assert {name for name, _ in network.named_parameters()} == {
        *("maps.weight", "maps.bias", "inner.weight", "inner.bias")
    }


def test_the_last_layer_is_spatial_where_it_gives_maps():
    assert examine(meta(Network()), VIEW, ["inner", "maps"]).spatial == "maps"
    assert examine(meta(Network()), VIEW, []).spatial == ""


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
