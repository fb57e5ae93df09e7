"""Hara's 3D ResNets: published sizes, stages, and what fine-tuning freezes."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from harness.backbones.stages import Frozen, stages
from harness.backbones.start import Start
from harness.backbones.weights import load_weights
from harness.errors import DataError, UsageError
from harness.methods.supervised import Supervised
from harness.plugins.manager import Plugins
from harness.testing import conformance
from harness.testing.fixtures import MovingSquares
from harness.training.session import TrainingSession
from harness.values import Budget
from harness_trajectory_clustering.resnet3d import ResNet3D18, ResNet3D34

NARROW = {"width": 0.0625, "size": 32, "frames": 4}


@conformance(ResNet3D18(**NARROW), ResNet3D34(**NARROW))
def test_conformance(check):
    check()


def weightless(backbone):
    with torch.device("meta"):
        return backbone.build(seed=0)


def count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def by_hand(blocks):
    """Parameters of the layers, one by one: each convolution is followed by a scale and a shift."""

    def layer(inputs, outputs, volume):
        return inputs * outputs * volume + 2 * outputs

    total, channels = layer(3, 64, 343), 64
    for out, number in zip((64, 128, 256, 512), blocks, strict=True):
        total += layer(channels, out, 27) + (2 * number - 1) * layer(out, out, 27)
        total += layer(channels, out, 1) if out > channels else 0
        channels = out
    return total


def test_the_networks_have_their_published_size():
    trunk = count(weightless(ResNet3D18()))
    assert trunk == by_hand((2, 2, 2, 2)) == 33_203_904
    assert trunk + count(nn.Linear(512, 400, device="meta")) == 33_409_104
    assert trunk + count(nn.Linear(512, 128, device="meta")) == 33_269_568
    assert count(weightless(ResNet3D34())) == by_hand((3, 4, 6, 3))


@pytest.mark.parametrize("backbone", [ResNet3D18, ResNet3D34])
def test_a_clip_becomes_the_maps_of_the_papers_table(backbone):
    network, sizes = weightless(backbone()), {}
    for name, module in network.named_children():
        module.register_forward_hook(lambda module, _, maps, name=name: sizes.update({name: tuple(maps.shape[1:])}))
    vectors = network(torch.empty(2, 3, 16, 112, 112, device="meta"))
    assert sizes == {
        **dict.fromkeys(("conv1", "bn1", "relu"), (64, 16, 56, 56)),
        "maxpool": (64, 8, 28, 28),
        "layer1": (64, 8, 28, 28),
        "layer2": (128, 4, 14, 14),
        "layer3": (256, 2, 7, 7),
        "layer4": (512, 1, 4, 4),
        "avgpool": (512, 1, 1, 1),
        "flatten": (512,),
    }
    assert vectors.shape == (2, 512)


@pytest.mark.parametrize(
    ("options", "dim"),
    [
        ({}, 512),
        ({"frames": 64}, 512),
        ({"frames": 32, "size": 224, "stride": 2}, 512),
        ({"width": 0.25, "size": 64, "frames": 8}, 128),
        ({"width": 1e-6, "size": 1, "frames": 1}, 1),
    ],
)
def test_a_cards_promises_are_its_options(options, dim):
    backbone = ResNet3D18(**options)
    view = backbone.inputs.view
    assert {name: getattr(view, name) for name in options if name != "width"} == {
        name: value for name, value in options.items() if name != "width"
    }
    clips = torch.empty(1, 3, view.frames, view.size, view.size, device="meta")
    assert weightless(backbone).eval()(clips).shape == (1, backbone.card.dim) == (1, dim)
    assert ResNet3D18().card == ResNet3D18.card


@pytest.mark.parametrize(
    ("options", "problem"), [({"width": 0.0}, "width must be positive"), ({"frames": 0}, "at least 1")]
)
def test_options_that_make_no_network(options, problem):
    with pytest.raises(UsageError, match=problem):
        Plugins().backbones.build("resnet3d_34", options)


def test_equal_seeds_give_equal_weights_and_others_do_not():
    first, same, other = (ResNet3D18(**NARROW).build(seed=seed).state_dict() for seed in (3, 3, 4))
    assert all(torch.equal(first[name], same[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_weights_keep_the_variance_of_what_they_are_shown():
    weight = ResNet3D18(width=0.5).build(seed=0).get_parameter("layer3.1.conv1.weight").detach()
    assert float(weight.std()) == pytest.approx((2 / (128 * 27)) ** 0.5, rel=0.01)
    assert abs(weight.mean()) < 1e-4


def test_only_blocks_that_change_shape_have_a_convolution_as_shortcut():
    network = weightless(ResNet3D34())
    convolutions = [name for name, module in network.named_modules() if name.endswith("downsample.0")]
    assert convolutions == ["layer2.0.downsample.0", "layer3.0.downsample.0", "layer4.0.downsample.0"]
    assert {network.get_submodule(name).stride for name in convolutions} == {(2, 2, 2)}


def test_a_block_adds_its_shortcut_before_the_last_relu():
    block = ResNet3D18(**NARROW).build(seed=0).get_submodule("layer1.0").eval()
    maps = torch.randn(1, 4, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    nn.init.zeros_(block.bn2.weight)
    with torch.no_grad():
        torch.testing.assert_close(block(maps), maps.relu())


def test_the_first_stages_are_those_that_the_paper_freezes():
    assert stages(weightless(ResNet3D34())) == [
        ["conv1", "bn1", "relu", "maxpool"],
        ["layer1"],
        ["layer2"],
        ["layer3"],
        ["layer4", "avgpool", "flatten"],
    ]


@pytest.mark.parametrize(
    ("frozen", "kept"), [(2, {"conv1", "bn1", "layer1"}), (3, {"conv1", "bn1", "layer1", "layer2"})]
)
def test_frozen_stages_keep_weights_and_statistics_in_finetuning(frozen, kept):
    backbone, train = ResNet3D18(width=0.03125, size=16, frames=4), MovingSquares().split("train")
    network = backbone.build(seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    training = Supervised(lr=0.01, batch_size=8)
    loss = training.build_loss(Frozen(network, frozen), backbone.card.dim, train)
    training.train(loss, backbone.inputs, train, TrainingSession(Budget(frames=64, seed=0)))
    moved = {
        name.split(".")[0] for name, tensor in network.state_dict().items() if not torch.equal(before[name], tensor)
    }
    assert moved == {"conv1", "bn1", "layer1", "layer2", "layer3", "layer4"} - kept


@pytest.mark.parametrize("name", ["resnet3d_18", "resnet3d_34"])
def test_backbones_are_registered_with_their_cards(name):
    registry = Plugins().backbones
    assert registry.build(name).card == registry.entry(name).card


def test_weights_have_the_names_of_haras_checkpoints():
    names = set(weightless(ResNet3D18()).state_dict())
    assert {"conv1.weight", "bn1.running_mean", "layer1.0.conv1.weight", "layer4.1.bn2.bias"} < names
    assert {name for name in names if "downsample" in name and "weight" in name} == {
        f"layer{layer}.0.downsample.{part}.weight" for layer in (2, 3, 4) for part in (0, 1)
    }


def test_a_checkpoint_as_hara_writes_it_is_loaded(tmp_path):
    backbone = Plugins().backbones.build("resnet3d_18", {**NARROW, "pixels": "standardised"})
    assert (backbone.inputs.mean[0], backbone.inputs.std[0], backbone.inputs.scale) == (0.4345, 0.2768, 1 / 255)
    trained, network = backbone.build(seed=1).state_dict(), backbone.build(seed=0)
    classifier = nn.Linear(backbone.card.dim, 700).state_dict(prefix="fc.")
    weights = {f"module.{name}": tensor for name, tensor in {**trained, **classifier}.items()}
    torch.save({"epoch": 200, "arch": "resnet-18", "state_dict": weights}, tmp_path / "hara.pth")
    start = Start(weights=str(tmp_path / "hara.pth"), learnt_from="kinetics700", labels=True, ignore=("fc.",))
    load_weights(network, start, backbone)
    assert all(torch.equal(tensor, trained[name]) for name, tensor in network.state_dict().items())


def test_older_weights_of_hara_whose_shortcuts_have_none_are_refused(tmp_path):
    backbone = ResNet3D18(**NARROW)
    weights = {name: one for name, one in backbone.build(seed=1).state_dict().items() if "downsample" not in name}
    torch.save({"state_dict": weights}, tmp_path / "resnet-18-kinetics.pth")
    start = Start(weights=str(tmp_path / "resnet-18-kinetics.pth"), learnt_from="kinetics400", labels=True)
    with pytest.raises(DataError, match=r"missing: .*downsample"):
        load_weights(backbone.build(seed=0), start, backbone)


def test_pixels_are_those_of_the_papers_code_by_default():
    inputs = ResNet3D18().inputs
    assert inputs.mean == pytest.approx((114.7748 / 255, 107.7354 / 255, 99.4750 / 255))
    assert inputs.std == (1.0, 1.0, 1.0)


def test_r2plus1d_is_there_by_name_and_sees_the_papers_clips():
    backbone = Plugins().backbones.build("torchvision:r2plus1d_18", {"frames": 16, "size": 112, "stride": 1})
    network = weightless(backbone)
    assert network(torch.empty(1, 3, 16, 112, 112, device="meta")).shape == (1, backbone.card.dim)
    assert [stage[0] for stage in stages(network)] == ["stem", "layer1", "layer2", "layer3", "layer4"]


def test_cards_cost_no_torch():
    code = "import sys, harness_trajectory_clustering.cards; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
