"""Networks for inputs with other channels: the rest stays, new weights are as large as the old ones ask."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn

from harness.backbones.first_layer import with_input_channels
from harness.backbones.libraries.timm import Timm
from harness.backbones.r3d_18 import R3D18
from harness.backbones.resnet18 import ResNet18
from harness.backbones.small_2d import Small2D
from harness.errors import UsageError
from harness.system.seeding import seeded

FLOW = 24


@pytest.mark.parametrize(
    ("backbone", "first", "frames"),
    [
        (Small2D(), "feature_map.0.weight", 1),
        (ResNet18(), "feature_map.0.weight", 1),
        (R3D18(), "stem.0.weight", 4),
        (Timm("test_vit", size=64), "patch_embed.proj.weight", 1),
        (Timm("test_resnet", size=64), "conv1.0.weight", 1),
    ],
    ids=lambda value: value.card.name if hasattr(value, "card") else None,
)
def test_only_the_first_convolution_is_another(backbone, first, frames):
    network = backbone.build(seed=0).eval()
    before = copy.deepcopy(network.state_dict())
    with seeded(1):
        changed = with_input_channels(network, FLOW)
    after = changed.state_dict()
    assert changed is network
    assert before.keys() == after.keys()
    bias = first.replace("weight", "bias")
    assert {name for name in before if not torch.equal(before[name], after[name])} - {bias} == {first}
    assert after[first].shape == (before[first].shape[0], FLOW, *before[first].shape[2:])
    wanted = float(before[first].std()) * math.sqrt(3 / FLOW)
    assert float(after[first].std()) == pytest.approx(wanted, rel=0.05)
    assert abs(float(after[first].mean())) < 0.05 * wanted
    assert bias not in after or not after[bias].any()
    size = backbone.inputs.view.size
    clips = torch.randn(2, FLOW, frames, size, size, generator=torch.Generator().manual_seed(0))
    vectors = network(clips)
    assert vectors.shape == (2, backbone.card.dim)
    vectors.square().sum().backward()
    assert dict(network.named_parameters())[first].grad.any()


def test_sums_over_inputs_of_unit_variance_vary_as_before():
    network = nn.Conv2d(3, 64, 7)
    generator = torch.Generator().manual_seed(0)
    before = network(torch.randn(8, 3, 20, 20, generator=generator)).std()
    with seeded(1):
        with_input_channels(network, FLOW)
    after = network(torch.randn(8, FLOW, 20, 20, generator=generator)).std()
    torch.testing.assert_close(after, before, rtol=0.05, atol=0)


def test_everything_else_of_the_convolution_stays():
    network = nn.Conv3d(3, 8, (3, 5, 5), stride=(1, 2, 2), padding=(1, 2, 2), padding_mode="replicate").double()
    maps = network(torch.zeros(1, 3, 4, 9, 9, dtype=torch.float64))
    changed = with_input_channels(network, 2)
    assert changed.weight.dtype == torch.float64
    assert changed.padding_mode == "replicate"
    assert changed(torch.zeros(1, 2, 4, 9, 9, dtype=torch.float64)).shape == maps.shape


def test_seeds_decide():
    def drawn(seed):
        network = Small2D().build(seed=0)
        with seeded(seed):
            return with_input_channels(network, FLOW).feature_map[0].weight

    assert torch.equal(drawn(1), drawn(1))
    assert not torch.equal(drawn(1), drawn(2))


@pytest.mark.parametrize(
    ("network", "channels", "problem"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(12, 2)), FLOW, "expected a network with a convolution"),
        (nn.Conv2d(4, 8, 3, groups=4), 6, "multiple of the 4 groups of the first convolution as channels, got 6"),
        (nn.Conv2d(3, 8, 3), 0, "multiple of the 1 groups"),
    ],
)
def test_networks_that_take_no_other_channels(network, channels, problem):
    with pytest.raises(UsageError, match=problem):
        with_input_channels(network, channels)
