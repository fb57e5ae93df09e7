"""VGG-M: published sizes, a slow twin, seeds, gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.backbones.first_layer import with_input_channels
from harness.backbones.local_response import AcrossChannels
from harness.backbones.stages import stages
from harness.encoders.frozen import CachedEncoder
from harness.encoders.layers import output_of
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.evaluators.pose.feature_maps import input_size
from harness.plugins.manager import Plugins
from harness.system.seeding import seeded
from harness.testing import conformance
from harness.video.transforms import normalise
from harness_pose_from_action.vgg_m import VggM

TINY = {"width": 1 / 16, "size": 64}


@conformance(VggM(**TINY), VggM(**TINY, norm="batch"))
def test_conformance(check):
    check()


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.inputs.view.size
        return backbone.build(seed=0), torch.empty(1, 3, 1, size, size)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        (224, {nn.Conv2d: [109, 26, 13, 13, 13], nn.MaxPool2d: [54, 13, 6]}),
        (256, {nn.Conv2d: [125, 30, 15, 15, 15], nn.MaxPool2d: [62, 15, 7]}),
        (128, {nn.Conv2d: [61, 14, 7, 7, 7], nn.MaxPool2d: [30, 7, 3]}),
    ],
)
@pytest.mark.parametrize("norm", ["response", "batch"])
def test_maps_are_as_large_as_caffes(size, sides, norm):
    network, clip = weightless(VggM(size=size, norm=norm))
    measured = {kind: [] for kind in sides}
    for module in network.modules():
        if type(module) in measured:
            module.register_forward_hook(lambda module, _, maps: measured[type(module)].append(maps.shape[-1]))
    assert network(clip).shape == (1, 4096)
    assert measured == sides


def test_the_network_has_the_parameters_of_its_table():
    convolutions = (96, 3 * 49), (256, 96 * 25), (512, 256 * 9), (512, 512 * 9), (512, 512 * 9)
    table = sum(outputs * (inputs + 1) for outputs, inputs in (*convolutions, (4096, 18432)))
    assert count(weightless(VggM())[0]) == table
    assert count(weightless(VggM(norm="batch"))[0]) == table + 2 * sum(outputs for outputs, _ in convolutions)


def test_normalisation_stands_where_it_is_stated():
    first = [nn.Conv2d, nn.ReLU, AcrossChannels, nn.MaxPool2d]
    assert order(VggM()) == [*first, *first, *[nn.Conv2d, nn.ReLU] * 3]
    first, last = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d], [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert order(VggM(norm="batch")) == [*first, *first, *last * 3]


def order(backbone):
    return [type(module) for module in weightless(backbone)[0].feature_map]


def test_layers_are_named():
    backbone = VggM(**TINY)
    network, clips = backbone.build(seed=0), torch.randn(2, 3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert (backbone.card.spatial, backbone.card.layers, backbone.card.dim) == ("feature_map", ("fc6",), 256)
    channels = [output_of(network, f"feature_map.conv{number}", clips).shape[1] for number in range(1, 6)]
    assert channels == [6, 16, 32, 32, 32]
    with torch.no_grad():
        before, behind = (output_of(network, f"feature_map.{name}", clips) for name in ("conv5", "relu5"))
        torch.testing.assert_close(output_of(network, "fc6", clips), network(clips))
    assert before.min() < 0
    assert torch.equal(behind, before.clamp(min=0))
    assert stages(network) == [["feature_map"], ["fc6"]]  # `frozen: 1` is all convolutions


def test_pixels_keep_their_scale_and_colours_turn():
    inputs = VggM().inputs
    pixels = torch.tensor([255, 128, 0], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    torch.testing.assert_close(
        normalise(pixels, inputs).flatten(), torch.tensor([0 - 103.939, 128 - 116.779, 255 - 123.68])
    )


def test_the_pose_protocol_gives_it_squares_of_256_pixels():
    backbone = VggM(width=0.02)
    assert input_size(CachedEncoder(NetworkEncoder.of(backbone.build(seed=0), backbone), key="x")) == (256, (15, 15))


def test_every_size_that_is_accepted_works():
    accepted = []
    for size in range(1, 120):
        try:
            backbone = VggM(width=0.02, size=size)
        except ValueError:
            continue
        network, clip = weightless(backbone)
        assert network(clip).shape == (1, backbone.card.dim)
        accepted.append(size)
    assert accepted == list(range(41, 120))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 40}, "40 pixels are too small"),
        ({"width": 0.0}, "width must be positive, got 0.0"),
        ({"norm": "layer"}, "option norm='layer'"),
    ],
)
def test_options_that_make_no_network(options, problem):
    with pytest.raises(UsageError, match=problem):
        registry().build("vgg_m", options)


def registry():
    return Plugins().backbones


def test_the_backbone_is_registered_with_its_card():
    assert registry().build("vgg_m").card == registry().entry("vgg_m").card == VggM.card


@pytest.mark.parametrize("norm", ["response", "batch"])
def test_initial_weights(norm):
    gaussian, he, other = (
        dict(VggM(width=0.25, size=64, norm=norm, init=init).build(seed=seed).named_parameters())
        for init, seed in (("gaussian", 0), ("he", 0), ("he", 1))
    )
    weighty = [name for name in he if "norm" not in name and name.endswith("weight")]
    assert len(weighty) == 6
    for name in weighty:
        assert float(gaussian[name].detach().std()) == pytest.approx(0.01, rel=0.05)
        assert float(he[name].detach().std()) == pytest.approx((2 / he[name][0].numel()) ** 0.5, rel=0.05)
        assert not torch.equal(he[name], other[name])
    assert not any(values.any() for name, values in he.items() if name.endswith("bias"))


def images(inputs, number):
    """Images of a bright square each, at different places, normalised."""
    generator, size = torch.Generator().manual_seed(0), inputs.view.size
    pixels = 60 + 25 * torch.rand(number, 3, 1, size, size, generator=generator)
    for image, (row, column) in zip(pixels, torch.randint(size // 2, (number, 2), generator=generator), strict=True):
        image[..., row : row + size // 2, column : column + size // 2] += 120
    return normalise(pixels.to(torch.uint8), inputs)


@pytest.mark.parametrize("norm", ["response", "batch"])
def test_gradients_reach_the_first_convolution_and_images_differ(norm):
    """A network that starts with vanishing signals would not learn."""
    backbone = VggM(width=0.25, size=99, norm=norm)
    network = backbone.build(seed=0)
    vectors = F.normalize(network(images(backbone.inputs, 4)), dim=1)
    assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05
    (vectors[0] - vectors[1:]).square().sum().backward()
    assert network.feature_map.conv1.weight.grad.norm() > 0.01 * network.fc6.linear.weight.grad.norm() > 0


def test_the_same_network_takes_24_maps_of_flow():
    network = VggM(**TINY).build(seed=0)
    with seeded(1):
        with_input_channels(network, 24)
    assert network.feature_map.conv1.weight.shape == (6, 24, 7, 7)
    assert network(torch.zeros(2, 24, 1, 64, 64)).shape == (2, 256)
