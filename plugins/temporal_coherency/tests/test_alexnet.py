"""AlexNet against the tables of the paper and of its code."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.local_response import AcrossChannels
from harness.encoders.layers import output_of
from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness_temporal_coherency.alexnet import AlexNet


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.inputs.view.size
        return backbone.build(seed=0), torch.empty(1, 3, 1, size, size)


@pytest.mark.parametrize("released", [False, True])
def test_normalisation_and_pooling_follow_the_first_two_convolutions(released):
    order = [type(module) for module in weightless(AlexNet(released=released))[0].feature_map]
    both = [nn.MaxPool2d, AcrossChannels] if released else [AcrossChannels, nn.MaxPool2d]
    assert order == [nn.Conv2d, nn.ReLU, *both] * 2 + [nn.Conv2d, nn.ReLU] * 3


@pytest.mark.parametrize(
    ("options", "lengths"),
    [
        ({}, {"fc6": 4096, "fc7": 1024}),
        ({"fc7": 4096}, {"fc6": 4096, "fc7": 4096}),
        ({"width": 0.25, "size": 67}, {"fc6": 1024, "fc7": 256}),
        ({"width": 1e-6, "size": 67}, {"fc6": 2, "fc7": 2}),
        ({"width": 0.25, "size": 67, "released": True}, {"fc6": 1024, "fc7": 256}),
    ],
)
def test_a_cards_promises_are_its_options(options, lengths):
    backbone = AlexNet(**options)
    assert backbone.card.layers == ("fc6", "fc7")
    assert backbone.inputs.view.size == options.get("size", 227)
    network, clip = weightless(backbone)
    assert {name: output_of(network, name, clip).shape[1] for name in lengths} == lengths
    assert network(clip).shape == (1, backbone.card.dim)
    assert backbone.card.dim == lengths["fc7"]


def test_released_pixels_keep_their_scale():
    assert AlexNet(released=True).inputs.std == (1 / 255,) * 3
    assert AlexNet().inputs.std == (0.25,) * 3
    assert AlexNet().card == AlexNet.card


@pytest.mark.parametrize(
    ("options", "problem"),
    [({"size": 15}, "15 pixels are too small"), ({"width": 0.0}, "must be positive"), ({"fc7": 0}, "must be positive")],
)
def test_options_that_make_no_network(options, problem):
    with pytest.raises(UsageError, match=problem):
        Plugins().backbones.build("alexnet", options)


def test_every_size_that_is_accepted_works():
    for released in (False, True):
        accepted = []
        for size in range(1, 120):
            try:
                backbone = AlexNet(released=released, width=0.02, size=size)
            except ValueError:
                continue
            network, clip = weightless(backbone)
            assert network(clip).shape == (1, backbone.card.dim)
            accepted.append(size)
        assert accepted == list(range(accepted[0], 120))
