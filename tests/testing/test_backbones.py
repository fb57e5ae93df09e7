"""The kit on backbones: a good one passes, one with a single defect fails exactly the check that is about it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from harness.system.seeding import seeded
from harness.testing import DirectionBackbone, TinyBackbone, checks_for, failures

from .streams import OfFlow, TwoStreams

CARD = TinyBackbone.card


class WrongDim(TinyBackbone):
    card = CARD

    def build(self, *, seed):
        return super().build(seed=seed).append(nn.ConstantPad1d((0, 1), 0.0))


class NoSequence(TinyBackbone):
    card = dataclasses.replace(CARD, length=4)


LAYERED = dataclasses.replace(CARD, layers=("0", "6"))


class Layered(TinyBackbone):
    card = LAYERED


class NoSuchLayer(TinyBackbone):
    card = dataclasses.replace(LAYERED, layers=("0", "fc6"))


class UnusedLayer(TinyBackbone):
    card = dataclasses.replace(LAYERED, layers=("head",))

    def build(self, *, seed):
        class Headless(nn.Sequential):
            def forward(self, clips):
                for layer in list(self)[:8]:
                    clips = layer(clips)
                return clips

        network = Headless(*super().build(seed=seed))
        network.head = nn.Identity()
        return network


class LayerOfTheBatch(TinyBackbone):
    card = dataclasses.replace(LAYERED, layers=("8.mean",))

    def build(self, *, seed):
        class Watched(nn.Module):
            def __init__(self):
                super().__init__()
                self.mean = nn.Identity()

            def forward(self, vectors):
                self.mean(vectors.mean(0, keepdim=True))
                return vectors

        return super().build(seed=seed).append(Watched())


class SpatialWithoutMap(TinyBackbone):
    card = dataclasses.replace(LAYERED, layers=(), spatial="6")


class TokensOfAVector(TinyBackbone):
    card = dataclasses.replace(LAYERED, layers=(), tokens="6")


class TokensAlone(TokensOfAVector):
    card = dataclasses.replace(TokensOfAVector.card, spatial="")


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


class TwoStreamsTooWide(TwoStreams):
    card = dataclasses.replace(TwoStreams.card, dim=17)


BROKEN = {
    InheritedCard: ("check_card", "no card in the body of the class"),
    WrongDim: ("check_output", "expected (2, 16) float32 for clips (2, 3, 8, 32, 32), got (2, 17) torch.float32"),
    TwoStreamsTooWide: (
        "check_output",
        "for clips {'flow': (2, 2, 8, 32, 32), 'frames': (2, 3, 8, 32, 32)}, got (2, 16) torch.float32",
    ),
    NoSequence: ("check_output", "expected (2, 4, 16) float32 for clips (2, 3, 8, 32, 32), got (2, 16) torch.float32"),
    NotFinite: ("check_output", "expected finite vectors"),
    NoSuchLayer: (
        "check_layers",
        "expected layer 'fc6' of the card to be a submodule of the network",
    ),
    UnusedLayer: ("check_layers", "expected layer 'head' of network Headless to give a tensor, got nothing"),
    LayerOfTheBatch: ("check_layers", "expected layer '8.mean' to give rows for each of 2 clips"),
    SpatialWithoutMap: ("check_layers", "and a spatial one maps (B, c, h, w), got (2, 16)"),
    TokensAlone: ("check_layers", "layer '6' to give several tokens"),
    TokensOfAVector: ("check_layers", "layer '6' to give several tokens for each of 2 clips, (B, N, c) or a map, got"),
    CentredOverTheBatch: ("check_batch_invariance", "alone and in a batch"),
    UnusedClassifier: ("check_gradients", "none for 0.classifier.weight, 0.classifier.bias"),
    GlobalSeed: ("check_seed", "got other values of 3.weight"),
    OneNetworkForAll: ("check_fresh_weights", "0.weight"),
    SharedLayer: ("check_fresh_weights", "got 3.bias in both of two builds"),
    Prints: ("check_traces", "'16-D\\n'"),
    SeedsTheProcess: ("check_traces", "a change of torch's random state"),
}


@pytest.mark.parametrize("backbone", [TinyBackbone(), DirectionBackbone(), Layered(), OfFlow(), TwoStreams()])
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
