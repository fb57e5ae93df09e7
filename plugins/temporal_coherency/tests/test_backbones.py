"""All networks: published sizes, inner layers, seeds, gradients to the pixels."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness_temporal_coherency.alexnet import AlexNet
from harness_temporal_coherency.cifar_net import CifarFull, CifarQuick
from harness_temporal_coherency.googlenet import GoogLeNet
from harness_temporal_coherency.layers import WithinChannels

MINI = {"width": 0.25, "size": 99}
NETWORKS = [AlexNet(**MINI), AlexNet(released=True, **MINI), GoogLeNet(), CifarQuick(), CifarFull()]


@conformance(*NETWORKS)
def test_conformance(check):
    check()


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.card.view.size
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
    size, card = backbone.card.view.size, backbone.card
    generator = torch.Generator().manual_seed(0)
    pixels = 0.3 + 0.1 * torch.rand(number, 3, 1, size, size, generator=generator)
    for image, (row, column) in zip(pixels, torch.randint(size // 2, (number, 2), generator=generator), strict=True):
        image[..., row : row + size // 2, column : column + size // 2] += 0.5
    mean, std = torch.tensor(card.mean).view(-1, 1, 1, 1), torch.tensor(card.std).view(-1, 1, 1, 1)
    return (pixels - mean) / std


@pytest.mark.parametrize("backbone", NETWORKS, ids=lambda backbone: backbone.card.name)
def test_the_network_until_a_layer_gives_what_comes_out_of_that_layer(backbone):
    network = backbone.build(seed=0).eval()
    came_out = {}
    hooks = [
        layer.register_forward_hook(lambda _module, _inputs, vectors, name=name: came_out.update({name: vectors}))
        for name, layer in network.pool.named_children()
    ]
    clips = images(backbone, 2)
    with torch.no_grad():
        vectors = network(clips)
        for hook in hooks:
            hook.remove()
        assert list(came_out) == list(backbone.card.layers)
        for name, length in backbone.card.layers.items():
            part = network.until(name)
            torch.testing.assert_close(part(clips), came_out[name])
            assert came_out[name].shape == (2, length)
            assert part.feature_map is network.feature_map
        torch.testing.assert_close(part(clips), vectors)


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
    with torch.no_grad():
        vectors = nn.functional.normalize(backbone.build(seed=0)(images(backbone, 4)), dim=1)
    assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05
