"""C3D: published sizes, a slow twin, the mean, the last pool, seeds, gradients."""

from __future__ import annotations

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from harness.backbones.stages import stages
from harness.backbones.weights import match_weights, read_weights
from harness.encoders.layers import output_of
from harness.encoders.network import NetworkEncoder
from harness.errors import UsageError
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness.values import VideoBatch
from harness.video.transforms import normalise
from harness_vgg3d.c3d import C3d

TINY = {"width": 1 / 32, "size": 32}
CONVOLUTIONS = {
    "conv1a": (3, 64),
    "conv2a": (64, 128),
    "conv3a": (128, 256),
    "conv3b": (256, 256),
    "conv4a": (256, 512),
    "conv4b": (512, 512),
    "conv5a": (512, 512),
    "conv5b": (512, 512),
}


def test_clips_of_other_frames_are_refused():
    """One frame would be sixteen times the same beside the mean volume."""
    with pytest.raises(UsageError, match=r"c3d expects clips of \(16, 32, 32\) frames and pixels, got \(1, 32, 32\)"):
        C3d(**TINY).build(seed=0)(torch.zeros(1, 3, 1, 32, 32))


@conformance(C3d(**TINY), C3d(**TINY, output="fc7", mean=(90.25, 97.66, 101.41), pool5="padded"))
def test_conformance(check):
    check()


def weightless(backbone):
    """The network without memory for its weights, and a clip for it."""
    with torch.device("meta"):
        size = backbone.inputs.view.size
        return backbone.build(seed=0), torch.empty(1, 3, 16, size, size)


@pytest.mark.parametrize("pool5", ["ceil", "padded"])
def test_maps_of_16_frames_of_112_pixels_are_as_large_as_published(pool5):
    network, clip = weightless(C3d(pool5=pool5))
    shapes = {
        "conv1a": (64, 16, 112, 112),
        "pool1": (64, 16, 56, 56),
        "pool2": (128, 8, 28, 28),
        "pool3": (256, 4, 14, 14),
        "conv5b": (512, 2, 7, 7),
        "pool5": (512, 1, 4, 4),
    }
    assert {name: output_of(network, f"feature_map.{name}", clip).shape[1:] for name in shapes} == shapes
    assert network.fc6.linear.in_features == 8192
    assert network(clip).shape == (1, 4096)
    without_last_windows = F.max_pool3d(output_of(network, "feature_map.relu5b", clip), 2)
    assert without_last_windows.flatten(1).shape == (1, 4608)


@pytest.mark.parametrize(("output", "connected"), [("fc6", (8192,)), ("fc7", (8192, 4096))])
def test_the_network_has_the_parameters_of_its_table(output, connected):
    network, clip = weightless(C3d(output=output))
    convolutions = sum(outputs * (27 * inputs + 1) for inputs, outputs in CONVOLUTIONS.values())
    table = convolutions + sum(4096 * (inputs + 1) for inputs in connected)
    assert sum(parameter.numel() for parameter in network.parameters()) == table
    assert network(clip).shape == (1, 4096)


@pytest.mark.parametrize(("pool5", "windows"), [("ceil", "01 23 45 6"), ("padded", "0 12 34 56")])
def test_the_last_pool_begins_at_the_first_pixel_unless_padded(pool5, windows):
    """Caffe's windows: 0 1, 2 3, 4 5 and 6 alone; padding on both sides gives others in the same shape."""
    pool = C3d(width=1 / 32, pool5=pool5).build(seed=0).feature_map.pool5
    maps = torch.rand(1, 2, 2, 7, 7, generator=torch.Generator().manual_seed(0))
    parts = [[int(place) for place in window] for window in windows.split()]
    by_hand = [[maps[0, :, :, rows][..., columns].amax((1, 2, 3)) for columns in parts] for rows in parts]
    pooled = pool(maps)[0, :, 0]
    assert pooled.shape == (2, 4, 4)
    for row, column in itertools.product(range(4), repeat=2):
        assert torch.equal(pooled[:, row, column], by_hand[row][column])


def slow_maximum(maps, steps):
    """Maximum of windows that do not overlap; the last may reach beyond the map."""
    places = [range(0, size, step) for size, step in zip(maps.shape[2:], steps, strict=True)]
    pooled = maps.new_empty(*maps.shape[:2], *map(len, places))
    for corner in itertools.product(*places):
        window = maps[(..., *(slice(place, place + step) for place, step in zip(corner, steps, strict=True)))]
        at = tuple(place // step for place, step in zip(corner, steps, strict=True))
        pooled[(..., *at)] = window.amax((2, 3, 4))
    return pooled


def twin(weights, clips, output):
    """C3D without modules, the layers one after the other."""
    maps = clips - weights["mean"]
    for name in CONVOLUTIONS:
        weight, bias = (weights[f"feature_map.{name}.{kind}"] for kind in ("weight", "bias"))
        maps = F.conv3d(maps, weight, bias, padding=1).clamp(min=0)
        if name not in ("conv3a", "conv4a", "conv5a"):
            maps = slow_maximum(maps, (1, 2, 2) if name == "conv1a" else (2, 2, 2))
    vectors = maps.flatten(1)
    for name in ("fc6", "fc7")[: 1 + (output == "fc7")]:
        vectors = (vectors @ weights[f"{name}.linear.weight"].T + weights[f"{name}.linear.bias"]).clamp(min=0)
    return vectors


@pytest.mark.parametrize("size", [112, 50])
@pytest.mark.parametrize("output", ["fc6", "fc7"])
def test_a_slow_twin_computes_the_same(size, output):
    network = C3d(output=output, width=1 / 32, size=size, mean=(90.25, 97.66, 101.41)).build(seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(generator=generator)
        clips = 255 * torch.rand(2, 3, 16, size, size, generator=generator)
        vectors = network(clips)
        assert vectors.std() > 0.1
        torch.testing.assert_close(vectors, twin(network.state_dict(), clips, output), rtol=1e-4, atol=1e-3)


def test_the_mean_is_subtracted_first():
    network, generator = C3d(**TINY).build(seed=0), torch.Generator().manual_seed(0)
    clips, mean = (255 * torch.rand(*shape, 16, 32, 32, generator=generator) for shape in ((2, 3), (3,)))
    with torch.no_grad():
        assert network.mean.shape == (3, 16, 32, 32)
        assert not network.mean.any()
        expected = network(clips - mean)
        unchanged = network(clips)
        network.load_state_dict({**network.state_dict(), "mean": mean})
        assert torch.equal(network(clips), expected)
    assert not torch.allclose(unchanged, expected)
    assert "mean" not in dict(network.named_parameters())


def test_pixels_are_blue_first_and_the_means_are_theirs():
    """A clip of the colour of the mean is as a black one without a mean: only zeros reach the convolutions."""
    backbone = C3d(**TINY, mean=(30.0, 20.0, 10.0))
    network = backbone.build(seed=0)
    assert network.mean[:, 0, 0, 0].tolist() == [30.0, 20.0, 10.0]
    pixels = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1, 1).expand(1, 3, 16, 32, 32)
    encoder = NetworkEncoder.of(network, backbone)
    assert not encoder.encode(VideoBatch(pixels)).any()  # biases are 0
    assert encoder.encode(VideoBatch(pixels.flip(1))).any()
    inputs = C3d().inputs
    assert normalise(torch.tensor([255, 128, 0]).view(1, 3, 1, 1, 1), inputs).flatten().tolist() == [0, 128, 255]
    view = inputs.view
    assert (view.frames, view.stride, view.size, view.short_side) == (16, 1, 112, 128)


def test_the_mean_is_saved_with_the_weights(tmp_path):
    backbone = C3d(**TINY, mean=(90.25, 97.66, 101.41))
    NetworkEncoder.of(backbone.build(seed=0), backbone).save(tmp_path)
    other = C3d(**TINY).build(seed=1)
    match = match_weights(read_weights(tmp_path / "weights.safetensors"), other.state_dict())
    assert match.complete
    other.load_state_dict(match.tensors)
    clips = torch.rand(1, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    assert torch.equal(other(clips), backbone.build(seed=0)(clips))


def test_layers_are_named_and_end_in_relus():
    network = C3d(**TINY, output="fc7").build(seed=0)
    kinds = {name: type(module) for name, module in network.feature_map.named_children()}
    assert [name for name, kind in kinds.items() if kind is nn.Conv3d] == list(CONVOLUTIONS)
    assert sum(kind is nn.ReLU for kind in kinds.values()) == 8
    assert stages(network) == [["feature_map"], ["fc6"], ["fc7"]]
    clips = 255 * torch.rand(2, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before, behind = (output_of(network, name, clips) for name in ("fc6.linear", "fc6"))
        assert before.min() < 0
        assert torch.equal(behind, before.clamp(min=0))
        assert torch.equal(output_of(network, "fc7", clips), network(clips))


def test_frames_are_seen_in_their_order():
    """A clip and its reverse differ; were time averaged first, they would not."""
    network = C3d(**TINY).build(seed=0)
    clips = 255 * torch.rand(2, 3, 16, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert not torch.allclose(network(clips), network(clips.flip(2)), rtol=1e-2)


@pytest.mark.parametrize("pool5", ["ceil", "padded"])
def test_every_size_that_is_accepted_works(pool5):
    for size in (16, 17, 31, 32, 33, 47, 64, 65, 97, 113, 128):
        network, clip = weightless(C3d(width=1 / 64, size=size, pool5=pool5))
        assert network(clip).shape == (1, 64)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"size": 15}, "15 pixels are too small for c3d"),
        ({"width": 0.0}, "width must be positive, got 0.0"),
        ({"output": "fc8"}, "option output='fc8'"),
        ({"pool5": "floor"}, "option pool5='floor'"),
        ({"mean": [104, 117]}, "mean"),
    ],
)
def test_options_that_make_no_network(options, problem):
    with pytest.raises(UsageError, match=problem):
        registry().build("c3d", options)


def registry():
    return Plugins().backbones


def test_the_backbone_is_registered_with_its_card():
    assert registry().build("c3d").card == registry().entry("c3d").card == C3d.card
    network = registry().build("c3d", {**TINY, "mean": [104, 117, 128]}).build(seed=0)
    assert network.mean[:, -1, -1, -1].tolist() == [104, 117, 128]


def test_initial_weights():
    backbone = C3d(output="fc7", width=0.125, size=32)
    first, other = (dict(backbone.build(seed=seed).named_parameters()) for seed in (0, 1))
    weighty = [name for name in first if name.endswith("weight")]
    assert len(weighty) == 10
    for name in weighty:
        expected = (2 / first[name][0].numel()) ** 0.5
        assert float(first[name].detach().std()) == pytest.approx(expected, rel=0.1)
        assert not torch.equal(first[name], other[name])
    assert not any(values.any() for name, values in first.items() if name.endswith("bias"))


def test_gradients_reach_every_layer_and_clips_differ():
    network = C3d(output="fc7", width=0.125, size=64, mean=(120.0, 120.0, 120.0)).build(seed=0)
    generator = torch.Generator().manual_seed(0)
    clips = 60 + 25 * torch.rand(4, 3, 16, 64, 64, generator=generator)
    for clip, (row, column) in zip(clips, torch.randint(32, (4, 2), generator=generator), strict=True):
        clip[..., row : row + 32, column : column + 32] += 120
    vectors = F.normalize(network(clips), dim=1)
    assert (vectors - vectors.mean(0)).norm(dim=1).mean() > 0.05
    (vectors[0] - vectors[1:]).square().sum().backward()
    norms = {name: float(parameter.grad.norm()) for name, parameter in network.named_parameters()}
    assert min(norms.values()) > 0
    assert norms["feature_map.conv1a.weight"] > 0.01 * norms["fc6.linear.weight"]
