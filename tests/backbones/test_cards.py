"""Cards made for the models of libraries."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.backbones.cards import TIMM, model_card
from harness.backbones.libraries.anatomy import Anatomy

ANATOMY = Anatomy(shape=(3,), layers=("a", "b"), spatial="b", tokens="n", unused=("c",))


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("resnet18", "timm.resnet18"),
        ("hub/ViT Small", "timm.hub-vit-small"),
        ("/some/where/", "timm.some-where"),
        ("x" * 90, f"timm.{'x' * 59}"),
    ],
)
def test_a_card_has_a_short_name(model, name):
    assert model_card(TIMM, model, "A network.", ANATOMY).name == name


def test_it_says_what_the_network_has():
    card = model_card(TIMM, "resnet18", "A network.", ANATOMY)
    assert (card.dim, card.layers, card.spatial, card.tokens) == (3, ("a", "b"), "b", "n")
    assert (card.shape, card.licence) == ((3,), "Apache-2.0")
    sequence = model_card(TIMM, "resnet18", "A network.", replace(ANATOMY, shape=(8, 3)))
    assert (sequence.shape, sequence.dim, sequence.length) == ((8, 3), 3, 8)
    assert model_card(TIMM, "resnet18", "A network.", ANATOMY, licence="mit").licence == "mit"
