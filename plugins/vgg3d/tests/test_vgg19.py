"""VGG-19: published sizes, the map before the last pool, pixels, seeds, gradients."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.backbones.stages import stages
from harness.encoders.layers import output_of
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness.values import VideoBatch
from harness.video.transforms import normalise
from harness_vgg3d.vgg19 import Vgg19

TINY = {"width": 1 / 16, "size": 64}


@conformance(Vgg19(**TINY))
def test_conformance(check):
    check()


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.inputs.view.size
        return backbone.build(seed=0), torch.empty(1, 3, 1, size, size)


@pytest.mark.parametrize("size", [224, 256, 64])
def test_the_map_is_a_sixteenth_of_the_frame(size):
    network, clip = weightless(Vgg19(size=size))
    convolutions, pools = [], []
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.MaxPool2d):
            sides = convolutions if isinstance(module, nn.Conv2d) else pools
            module.register_forward_hook(lambda _, __, maps, sides=sides: sides.append(maps.shape[-1]))
    assert output_of(network, "feature_map", clip).shape == (1, 512, size // 16, size // 16)
    assert pools == [size // 2, size // 4, size // 8, size // 16]
    assert convolutions == [size] * 2 + [size // 2] * 2 + [size // 4] * 4 + [size // 8] * 4 + [size // 16] * 4
    assert output_of(network, "pool5", clip).shape == (1, 512, size // 32, size // 32)
    assert network(clip).shape == (1, 4096)


def test_the_network_has_the_parameters_of_its_table():
    """143,667,240 in all, as published, less those of the last layer of 1000 classes."""
    parameters = weightless(Vgg19())[0].parameters()
    assert sum(one.numel() for one in parameters) == 143_667_240 - 1000 * (4096 + 1)


def test_layers_are_named_and_end_in_relus():
    backbone = Vgg19(**TINY)
    network, clips = backbone.build(seed=0), torch.randn(2, 3, 1, 64, 64, generator=torch.Generator().manual_seed(0))
    assert (backbone.card.spatial, backbone.card.layers, backbone.card.dim) == (
        "feature_map",
        ("pool5", "fc6", "fc7"),
        256,
    )
    names = [
        f"conv{stage}_{number}" for stage, count in enumerate((2, 2, 4, 4, 4), 1) for number in range(1, count + 1)
    ]
    kinds = {name: type(module) for name, module in network.feature_map.named_children()}
    assert [name for name, kind in kinds.items() if kind is nn.Conv2d] == names
    assert list(kinds)[-1] == "relu5_4"
    with torch.no_grad():
        channels = [output_of(network, f"feature_map.{name}", clips).shape[1] for name in names]
        assert channels == [4] * 2 + [8] * 2 + [16] * 4 + [32] * 8
        before, behind = (output_of(network, f"feature_map.{name}", clips) for name in ("conv5_4", "relu5_4"))
        assert before.min() < 0
        assert torch.equal(behind, before.clamp(min=0))
        assert torch.equal(output_of(network, "feature_map", clips), behind)
        pooled = F.max_pool2d(behind, 2)
        assert torch.equal(output_of(network, "pool5", clips), pooled)
        fc6 = F.linear(pooled.flatten(1), network.fc6.linear.weight).clamp(min=0)
        torch.testing.assert_close(output_of(network, "fc6", clips), fc6)
        fc7 = F.linear(fc6, network.fc7.linear.weight).clamp(min=0)
        torch.testing.assert_close(output_of(network, "fc7", clips), fc7)
        torch.testing.assert_close(network(clips), fc7)
    assert stages(network) == [["feature_map", "pool5"], ["fc6"], ["fc7"]]  # `frozen: 1` is all convolutions
    assert not any(isinstance(module, nn.Dropout) for module in network.modules())


def test_clips_get_the_mean_over_their_frames():
    network = Vgg19(**TINY).build(seed=0)
    clips = torch.randn(2, 3, 4, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        each = torch.stack([network(clips[:, :, frame : frame + 1]) for frame in range(4)])
        torch.testing.assert_close(network(clips), each.mean(0))
        assert output_of(network, "feature_map", clips).shape == (8, 32, 4, 4)


def test_pixels_keep_their_scale_and_colours_turn():
    inputs = Vgg19().inputs
    pixels = torch.tensor([255, 128, 0], dtype=torch.uint8).view(1, 3, 1, 1, 1)
    turned = torch.tensor([0 - 103.939, 128 - 116.779, 255 - 123.68])
    torch.testing.assert_close(normalise(pixels, inputs).flatten(), turned)
    assert (inputs.view.frames, inputs.view.size, inputs.view.short_side) == (1, 224, 256)


def test_an_encoder_gives_maps_and_vectors_of_its_layers():
    backbone = Vgg19(**TINY)
    encoder = NetworkEncoder.of(backbone.build(seed=0), backbone)
    frames = torch.randint(0, 256, (2, 3, 1, 64, 64), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    batch = VideoBatch(frames)
    assert encoder.promise.layers == ("pool5", "fc6", "fc7")
    assert torch.equal(encoder.encode_layer(batch, "fc7"), encoder.encode(batch))
    assert not torch.equal(encoder.encode_layer(batch, "fc6"), encoder.encode(batch))
    assert encoder.encode_tokens(batch, "feature_map").shape == (2, 16, 32)


def test_every_size_that_is_accepted_works():
    for size in range(32, 100, 3):
        network, clip = weightless(Vgg19(width=1 / 64, size=size))
        assert network(clip).shape == (1, 64)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 31}, "31 pixels are too small for vgg19"),
        ({"width": 0.0}, "width must be positive, got 0.0"),
        ({"width": -1.0}, "width must be positive, got -1.0"),
        ({"norm": "batch"}, "norm"),
    ],
)
def test_options_that_make_no_network(options, problem):
    with pytest.raises(UsageError, match=problem):
        registry().build("vgg19", options)


def registry():
    return Plugins().backbones


def test_the_backbone_is_registered_with_its_card():
    assert registry().build("vgg19").card == registry().entry("vgg19").card == Vgg19.card


def test_initial_weights():
    first, other = (dict(Vgg19(width=0.25, size=64).build(seed=seed).named_parameters()) for seed in (0, 1))
    weighty = [name for name in first if name.endswith("weight")]
    assert len(weighty) == 18
    for name in weighty:
        expected = (2 / first[name][0].numel()) ** 0.5
        assert float(first[name].detach().std()) == pytest.approx(expected, rel=0.1)
        assert not torch.equal(first[name], other[name])
    assert not any(values.any() for name, values in first.items() if name.endswith("bias"))


def test_gradients_reach_the_first_convolution_and_images_differ():
    """A network that starts with vanishing signals would not learn."""
    backbone = Vgg19(width=0.25, size=96)
    network = backbone.build(seed=0)
    generator = torch.Generator().manual_seed(0)
    pixels = 60 + 25 * torch.rand(4, 3, 1, 96, 96, generator=generator)
    for image, (row, column) in zip(pixels, torch.randint(48, (4, 2), generator=generator), strict=True):
        image[..., row : row + 48, column : column + 48] += 120
    vectors = F.normalize(network(normalise(pixels.to(torch.uint8), backbone.inputs)), dim=1)
    assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05
    (vectors[0] - vectors[1:]).square().sum().backward()
    norms = {name: float(parameter.grad.norm()) for name, parameter in network.named_parameters()}
    assert min(norms.values()) > 0
    assert norms["feature_map.conv1_1.weight"] > 0.01 * norms["fc6.linear.weight"]
