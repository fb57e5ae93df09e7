"""The networks: sizes against their published tables, inner layers, seeds, and whether gradients reach the pixels."""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest
import torch
from torch import nn

from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness_temporal_coherency.alexnet import AlexNet
from harness_temporal_coherency.cifar_net import CifarFull, CifarQuick
from harness_temporal_coherency.googlenet import GoogLeNet
from harness_temporal_coherency.local_response import AcrossChannels, WithinChannels

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
    found = {kind: [] for kind in sides}
    for module in network.modules():
        if type(module) in found:
            module.register_forward_hook(lambda module, _, maps: found[type(module)].append(maps.shape[-1]))
    network(clip)
    assert found == sides


def test_the_other_networks_have_their_published_size_less_the_classifier():
    convolutions = (32, 3 * 25), (32, 32 * 25), (64, 32 * 25)
    assert count(weightless(CifarFull())[0]) == weights(*convolutions)
    assert count(weightless(CifarQuick())[0]) == weights(*convolutions, (64, 1024))
    assert count(weightless(GoogLeNet())[0]) == 6_624_904 - weights((1000, 1024)) + weights((1024, 1024))


@pytest.mark.parametrize("released", [False, True])
def test_normalisation_and_pooling_follow_the_first_two_convolutions(released):
    order = [type(module) for module in weightless(AlexNet(released=released))[0].feature_map]
    both = [nn.MaxPool2d, AcrossChannels] if released else [AcrossChannels, nn.MaxPool2d]
    assert order == [nn.Conv2d, nn.ReLU, *both] * 2 + [nn.Conv2d, nn.ReLU] * 3


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


def test_what_an_inner_layer_gives_follows_the_networks_training():
    network = CifarQuick().build(seed=0)
    part = network.until("pool3")
    with torch.no_grad():
        network.feature_map[0].weight.zero_()
    assert not part(torch.randn(1, 3, 1, 32, 32)).any()


def test_a_layer_that_is_none():
    with pytest.raises(KeyError, match="'fc8' among fc6, fc7"):
        AlexNet(**MINI).build(seed=0).until("fc8")


@pytest.mark.parametrize(
    ("options", "layers"),
    [
        ({}, {"fc6": 4096, "fc7": 1024}),
        ({"fc7": 4096}, {"fc6": 4096, "fc7": 4096}),
        ({"width": 0.25, "size": 67}, {"fc6": 1024, "fc7": 256}),
        ({"width": 1e-6, "size": 67}, {"fc6": 2, "fc7": 2}),
        ({"width": 0.25, "size": 67, "released": True}, {"fc6": 1024, "fc7": 256}),
    ],
)
def test_a_cards_promises_are_its_options(options, layers):
    backbone = AlexNet(**options)
    assert backbone.card.layers == layers
    assert backbone.card.view.size == options.get("size", 227)
    network, clip = weightless(backbone)
    assert network(clip).shape == (1, backbone.card.dim)
    assert backbone.card.dim == layers["fc7"]


def test_released_pixels_keep_their_scale():
    assert AlexNet(released=True).card.std == (1 / 255,) * 3
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
    """Biases drown the images in a network drawn with too small a deviation; then all vectors are one."""
    with torch.no_grad():
        vectors = nn.functional.normalize(backbone.build(seed=0)(images(backbone, 4)), dim=1)
    assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05


@pytest.mark.parametrize("alpha", [5e-5, 3.0])
def test_normalisation_within_channels_is_a_loop_over_pixels(alpha):
    maps = 10 * torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.empty_like(maps)
    for image, channel, row, column in itertools.product(*map(range, maps.shape)):
        around = [
            float(maps[image, channel, y, x]) ** 2
            for y, x in itertools.product((row - 1, row, row + 1), (column - 1, column, column + 1))
            if 0 <= y < 5 and 0 <= x < 4
        ]
        scale = (1 + alpha * sum(around) / 9) ** 0.75
        expected[image, channel, row, column] = maps[image, channel, row, column] / scale
    torch.testing.assert_close(WithinChannels(3, alpha, 0.75)(maps), expected)


@pytest.mark.parametrize("channels", [1, 3, 24])
def test_normalisation_across_channels_is_torchs(channels):
    maps = 100 * torch.randn(2, channels, 4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = nn.LocalResponseNorm(5, alpha=0.02, beta=0.75)(maps)
    torch.testing.assert_close(AcrossChannels(5, 0.02, 0.75)(maps), expected)


@pytest.mark.parametrize("normalisation", [AcrossChannels(3, 2.0, 0.75), WithinChannels(3, 2.0, 0.75)])
def test_normalisations_have_the_right_gradient(normalisation):
    maps = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert torch.autograd.gradcheck(normalisation, maps.requires_grad_())
