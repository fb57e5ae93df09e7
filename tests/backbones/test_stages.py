"""Stages of networks, and that frozen ones do not move."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.backbones.r3d_18 import R3D18
from harness.backbones.resnet18 import ResNet18
from harness.backbones.small_2d import Small2D
from harness.backbones.stages import Frozen, stages
from harness.errors import UsageError
from harness.methods.supervised import Supervised
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Budget


@pytest.mark.parametrize(
    ("backbone", "first"),
    [
        (Small2D, ["feature_map.0", "feature_map.3", "feature_map.6", "feature_map.9"]),
        (ResNet18, ["feature_map.0", "feature_map.4", "feature_map.5", "feature_map.6", "feature_map.7"]),
        (R3D18, ["stem", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_stages_of_the_backbones(backbone, first):
    network = backbone().build(seed=0)
    found = stages(network)
    assert [stage[0] for stage in found] == first
    held = {id(p) for stage in found for name in stage for p in network.get_submodule(name).parameters()}
    assert held == {id(p) for p in network.parameters()}


def test_what_comes_before_the_first_stage_belongs_to_it():
    assert stages(nn.Sequential(nn.ReLU(), nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Linear(3, 3))) == [["0", "1", "2"], ["3"]]
    assert stages(nn.ReLU()) == []


def trained(count):
    network = TinyBackbone().build(seed=0)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    training = Supervised(lr=0.01, batch_size=8)
    train = MovingSquares().split("train")
    loss = training.build_loss(Frozen(network, count), TinyBackbone.card.dim, train)
    training.train(loss, TinyBackbone.inputs, train, TrainingSession(Budget(frames=640, seed=0)))
    after = network.state_dict()
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_frozen_stages_keep_every_byte_of_weights_and_statistics():
    first = {"0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked"}
    second = {"3.weight", "3.bias"}
    assert trained(0) == first | second
    assert trained(1) == second
    assert trained(2) == set()
    assert trained("all") == set()


def test_dropout_of_a_frozen_stage_is_off():
    network = Frozen(TinyBackbone().build(seed=0), 2).train()
    assert not any(module.training for module in network.network.children())
    assert Frozen(TinyBackbone().build(seed=0), 1).train().network[7].training


class Prompted(nn.Module):
    """A network with a parameter of its own, which no stage has."""

    def __init__(self):
        super().__init__()
        self.prompt = nn.Parameter(torch.zeros(3, 1, 1, 1))
        self.inner = nn.Sequential(nn.Conv3d(3, 4, 1), nn.Dropout(), nn.Flatten())

    def forward(self, clips):
        return self.inner(clips + self.prompt)


def test_all_is_the_whole_network():
    network = Prompted()
    frozen = Frozen(network, "all").train()
    assert not any(parameter.requires_grad for parameter in frozen.parameters())
    assert not any(module.training for module in network.modules())
    assert not frozen(torch.zeros(2, 3, 1, 4, 4)).requires_grad
    assert Frozen(Prompted(), 1).network.prompt.requires_grad  # the last stage is not all


def test_more_stages_than_there_are():
    with pytest.raises(UsageError, match=r"3 stages are to be frozen, but the network has 2: 0\+1\+2, 3\+"):
        Frozen(TinyBackbone().build(seed=0), 3)
