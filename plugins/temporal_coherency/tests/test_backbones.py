"""All networks: published sizes, inner layers, seeds, gradients to the pixels."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from harness.encoders.layers import output_of
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness_temporal_coherency.alexnet import AlexNet
from harness_temporal_coherency.cifar_net import CifarFull, CifarQuick
from harness_temporal_coherency.googlenet import GoogLeNet
from harness_temporal_coherency.local_response import WithinChannels

MINI = {"width": 0.25, "size": 99}
NETWORKS = [AlexNet(**MINI), AlexNet(released=True, **MINI), GoogLeNet(), GoogLeNet(size=64), CifarQuick(), CifarFull()]


@conformance(*(backbone for backbone in NETWORKS if backbone.inputs.view.size < 224))  # which the tests below take
def test_conformance(check):
    check()


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.inputs.view.size
        return backbone.build(seed=0), torch.empty(1, 3, 1, size, size)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def weights(*layers):
    """Parameters of layers given as (outputs, inputs of one output)."""
    return sum(outputs * (inputs + 1) for outputs, inputs in layers)


@pytest.mark.parametrize(
    ("backbone", "sides"),
    [
        (AlexNet(), {nn.Conv2d: [55, 27, 13, 13, 13], nn.MaxPool2d: [27, 13, 6]}),
        (AlexNet(released=True), {nn.Conv2d: [111, 26, 13, 13, 13], nn.MaxPool2d: [55, 13, 6]}),
        (CifarQuick(), {nn.Conv2d: [32, 16, 8], nn.MaxPool2d: [16], nn.AvgPool2d: [8, 4]}),
        (CifarFull(), {nn.Conv2d: [32, 16, 8], nn.MaxPool2d: [16], nn.AvgPool2d: [8, 4], WithinChannels: [16, 8]}),
    ],
)
def test_maps_are_as_large_as_caffes(backbone, sides):
    network, clip = weightless(backbone)
    measured = {kind: [] for kind in sides}
    for module in network.modules():
        if type(module) in measured:
            module.register_forward_hook(lambda module, _, maps: measured[type(module)].append(maps.shape[-1]))
    network(clip)
    assert measured == sides


STATED = (96, 3 * 11 * 11), (256, 48 * 25), (384, 256 * 9), (384, 192 * 9), (256, 192 * 9)
RELEASED = (96, 3 * 7 * 7), (384, 48 * 25), (512, 384 * 9), (512, 256 * 9), (384, 256 * 9)


@pytest.mark.parametrize(
    ("backbone", "convolutions", "inputs"),
    [
        (AlexNet(), STATED, 6 * 6 * 256),
        (AlexNet(fc7=4096), STATED, 6 * 6 * 256),
        (AlexNet(released=True), RELEASED, 13824),
    ],
)
def test_alexnet_has_the_parameters_of_its_table(backbone, convolutions, inputs):
    network, _ = weightless(backbone)
    assert count(network.feature_map) == weights(*convolutions)
    assert count(network) == weights(*convolutions, (4096, inputs), (backbone.card.dim, 4096))


def test_the_other_networks_have_their_published_size_less_the_classifier():
    convolutions = (32, 3 * 25), (32, 32 * 25), (64, 32 * 25)
    assert count(weightless(CifarFull())[0]) == weights(*convolutions)
    assert count(weightless(CifarQuick())[0]) == weights(*convolutions, (64, 1024))
    assert count(weightless(GoogLeNet())[0]) == 6_624_904 - weights((1000, 1024)) + weights((1024, 1024))


def images(backbone, number):
    """Images of a bright square each, at different places, normalised."""
    inputs = backbone.inputs
    size = inputs.view.size
    generator = torch.Generator().manual_seed(0)
    pixels = 0.3 + 0.1 * torch.rand(number, 3, 1, size, size, generator=generator)
    for image, (row, column) in zip(pixels, torch.randint(size // 2, (number, 2), generator=generator), strict=True):
        image[..., row : row + size // 2, column : column + size // 2] += 0.5
    mean, std = torch.tensor(inputs.mean).view(-1, 1, 1, 1), torch.tensor(inputs.std).view(-1, 1, 1, 1)
    return (pixels - mean) / std


LENGTHS = {  # of an alexnet a quarter as wide
    "alexnet": {"fc6": 1024, "fc7": 256},
    "googlenet": {"pool5": 1024, "fc": 1024},
    "cifar_quick": {"pool3": 1024, "ip1": 64},
    "cifar_full": {"pool3": 1024},
}


@pytest.mark.parametrize("backbone", NETWORKS, ids=lambda backbone: backbone.card.name)
def test_layers_come_one_after_the_other_and_the_last_gives_the_vector(backbone):
    network, clips = backbone.build(seed=0).eval(), images(backbone, 2)
    lengths = LENGTHS[backbone.card.name]
    assert backbone.card.layers == tuple(lengths)
    with torch.no_grad():
        values = output_of(network, backbone.card.spatial, clips)
        assert values.ndim == 4
        for name, length in lengths.items():
            values = network.get_submodule(name)(values)
            torch.testing.assert_close(output_of(network, name, clips), values)
            assert values.shape == (2, length)
        torch.testing.assert_close(network(clips), values)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "cifar_quick", "cifar_full"])
def test_backbones_are_registered_with_their_cards(name):
    registry = Plugins().backbones
    assert registry.build(name).card == registry.entry(name).card


def test_cards_cost_no_torch():
    code = "import sys, harness_temporal_coherency; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_other_seeds_give_other_weights():
    first, second = (CifarFull().build(seed=seed).feature_map[0].weight for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("backbone", NETWORKS, ids=lambda backbone: backbone.card.name)
def test_gradients_reach_the_first_convolution(backbone):
    """A network that starts with vanishing signals would not learn."""
    network = backbone.build(seed=0)
    vectors = nn.functional.normalize(network(images(backbone, 4)), dim=1)
    (vectors[0] - vectors[1:]).square().sum().backward()
    first, *_, last = (weight.grad.norm() for name, weight in network.named_parameters() if name.endswith("weight"))
    assert first > 0.1 * last > 0


@pytest.mark.parametrize(
    "backbone", [AlexNet(**MINI), GoogLeNet(), CifarQuick(), CifarFull()], ids=lambda b: b.card.name
)
def test_an_untrained_network_tells_images_apart(backbone):
    """With too small weights, biases drown the images, and all vectors are one."""
    for network in (backbone.build(seed=0).train(), backbone.build(seed=0).eval()):
        with torch.no_grad():
            vectors = nn.functional.normalize(network(images(backbone, 4)), dim=1)
        assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05
