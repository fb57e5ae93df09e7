"""Outputs of inner layers: those of a whole pass, computed no further, and hooks that are gone afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.encoders.layers import output_of
from harness.errors import UsageError


class Branching(nn.Module):
    """Two layers in a row, one that nothing passes, one of two values, one of a mapping, and one that fails."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(4, 3), nn.ReLU(inplace=True))
        self.unused = nn.Linear(1, 1)
        self.recurrent = nn.GRU(3, 2, batch_first=True)
        self.named = Named()
        self.fails = Fails()

    def forward(self, inputs):
        states, _ = self.recurrent(self.trunk(inputs)[:, None])
        return self.fails(self.named(states[:, 0])["states"])


class Named(nn.Module):
    def forward(self, states):
        return {"states": states}


class Fails(nn.Module):
    def forward(self, inputs):
        msg = "reached"
        raise RuntimeError(msg)


NETWORK, INPUTS = Branching(), torch.randn(5, 4, generator=torch.Generator().manual_seed(0))


def hooks(network):
    return sum(len(module._forward_hooks) for module in network.modules())


@pytest.mark.parametrize("layer", ["trunk.0", "trunk.1", "trunk"])
def test_the_output_is_that_of_the_layer_and_nothing_behind_it_is_computed(layer):
    first = nn.functional.linear(INPUTS, NETWORK.trunk[0].weight, NETWORK.trunk[0].bias)
    expected = first if layer == "trunk.0" else first.relu()  # the ReLU in place has not touched its input
    torch.testing.assert_close(output_of(NETWORK, layer, INPUTS), expected)
    assert hooks(NETWORK) == 0


def test_gradients_flow_through_it():
    network = Branching()
    output_of(network, "trunk", INPUTS).sum().backward()
    assert network.trunk[0].weight.grad is not None
    assert network.recurrent.weight_ih_l0.grad is None


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ("trunk.2", "layer of network Branching: 'trunk.2'"),
        ("", "layer of network Branching: ''"),
        ("named", "expected layer 'named' of network Branching to give a tensor, got dict"),
    ],
)
def test_a_layer_that_cannot_be_asked_for(layer, message):
    with pytest.raises(UsageError, match=message):
        output_of(NETWORK, layer, INPUTS)
    assert hooks(NETWORK) == 0


def test_a_layer_that_the_pass_does_not_reach():
    network = nn.ModuleDict({"used": nn.Flatten(), "unused": nn.Flatten()})
    network.forward = lambda inputs: network["used"](inputs)
    with pytest.raises(UsageError, match="expected layer 'unused' of network ModuleDict to give a tensor, got nothing"):
        output_of(network, "unused", INPUTS)
    assert hooks(network) == 0


def test_an_error_before_the_layer_is_the_networks_own():
    with pytest.raises(RuntimeError, match="reached"):
        output_of(NETWORK, "unused", INPUTS)
    assert hooks(NETWORK) == 0


class Block(nn.Module):
    def forward(self, tokens):
        return tokens + 1, "attention"


def test_the_first_of_several_outputs_is_the_layers():
    network = nn.Sequential(nn.Identity(), Block())
    assert torch.equal(output_of(network, "1", torch.zeros(2, 3)), torch.ones(2, 3))
    assert output_of(NETWORK, "recurrent", INPUTS).shape == (5, 1, 2)
