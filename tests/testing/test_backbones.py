"""The kit on backbones: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

import copy
import dataclasses

import pytest
import torch
from torch import nn

from harness.system.seeding import seeded
from harness.testing import DirectionBackbone, TinyBackbone, checks_for, failures

CARD = TinyBackbone.card


class WrongDim(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        return super().build(seed=seed).append(nn.ConstantPad1d((0, 1), 0.0))


LAYERED = dataclasses.replace(CARD, layers={"stem": 8, "last": 16})


class Layers(nn.Sequential):
    def until(self, name):
        return nn.Sequential(self[:3], nn.AdaptiveAvgPool3d(1), nn.Flatten()) if name == "stem" else self


class Layered(TinyBackbone):
    card = LAYERED

    def build(self, *, seed):
        return Layers(*super().build(seed=seed))


class WrongLength(Layered):
    card = dataclasses.replace(LAYERED, layers={"stem": 9, "last": 16})


class CopiedLayer(Layered):
    card = LAYERED

    def build(self, *, seed):
        network = super().build(seed=seed)
        network.until = lambda name: copy.deepcopy(Layers.until(network, name))
        return network


class LastLayerIsAnother(Layered):
    card = dataclasses.replace(LAYERED, layers={"last": 16, "stem": 8})


class NotFinite(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        network = super().build(seed=seed)
        nn.init.constant_(network[3].weight, float("inf"))
        return network


class CentredOverTheBatch(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        class Centred(nn.Module):
            def forward(self, vectors):
                return vectors - vectors.mean(0) / 2

        return super().build(seed=seed).append(Centred())


class UnusedClassifier(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        network = super().build(seed=seed)
        with seeded(seed):
            network[0].register_module("classifier", nn.Linear(16, 4))
        return network


class GlobalSeed(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        network = super().build(seed=seed)
        with torch.random.fork_rng():
            nn.init.normal_(network[3].weight)
        return network


class OneNetworkForAll(TinyBackbone):
    card = CARD

    def __init__(self):
        self.network = super().build(seed=0)

    def build(self, *, seed):
        return self.network


class SharedLayer(OneNetworkForAll):
    card = CARD

    def build(self, *, seed):
        network = TinyBackbone().build(seed=seed)
        network[3].bias = self.network[3].bias
        return network


class Prints(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        print("16-D")  # noqa: T201 - the defect
        return super().build(seed=seed)


class SeedsTheProcess(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        torch.manual_seed(seed)
        return super().build(seed=seed)


class InheritedCard(TinyBackbone):
    pass


BROKEN = {
    InheritedCard: ("check_card", "no card in the body of the class"),
    WrongDim: ("check_output", "expected (2, 16) float32 for clips (2, 3, 8, 32, 32), got (2, 17) torch.float32"),
    NotFinite: ("check_output", "expected finite vectors"),
    WrongLength: ("check_layers", "expected (2, 9) of layer 'stem', got (2, 8)"),
    CopiedLayer: ("check_layers", "expected layer 'stem' to share the network's weights"),
    LastLayerIsAnother: ("check_layers", "expected the last layer, 'stem', to give the network's vectors"),
    CentredOverTheBatch: ("check_batch_invariance", "alone and in a batch"),
    UnusedClassifier: ("check_gradients", "none for 0.classifier.weight, 0.classifier.bias"),
    GlobalSeed: ("check_seed", "got other values of 3.weight"),
    OneNetworkForAll: ("check_fresh_weights", "0.weight"),
    SharedLayer: ("check_fresh_weights", "got 3.bias in both of two builds"),
    Prints: ("check_traces", "'16-D\\n'"),
    SeedsTheProcess: ("check_traces", "a change of torch's random state"),
}


@pytest.mark.parametrize("backbone", [TinyBackbone(), DirectionBackbone(), Layered()])
def test_a_good_backbone_passes(backbone):
    assert failures(backbone) == {}


@pytest.mark.parametrize("broken", BROKEN)
def test_a_defect_is_found_by_its_check_alone(broken):
    check, message = BROKEN[broken]
    found = failures(broken())
    assert list(found) == [check]
    assert found[check].startswith(f"backbone 'tiny' fails {check}: ")
    assert message in found[check]


def test_every_check_has_a_backbone_that_fails_it():
    assert {check for check, _ in BROKEN.values()} == {check.name for check in checks_for(Layered())}
