"""Registries whose kind has options of its own: libraries of backbones."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, ClassVar

import pytest

from harness.backbones.cards import TIMM, LibraryCard
from harness.cards import BackboneCard
from harness.errors import PluginError, UsageError
from harness.plugins.kinds import BackboneRegistry

SHELF = replace(TIMM, name="shelf", summary="networks on a shelf")


class Shelf:
    """A library that knows one option, and whose models refuse `width: 0`."""

    library: ClassVar[LibraryCard] = SHELF
    constructed: ClassVar[list[str]] = []

    def __init__(self, model: str, /, *, frames: int = 8, **options: Any):
        self.constructed.append(model)
        if options.get("width") == 0:
            msg = "no width,\nno network"
            raise AssertionError(msg)
        self.card = BackboneCard(name=f"shelf.{model}", summary="A network.", dim=frames)
        self.options = options


class Own:
    card: ClassVar[BackboneCard] = BackboneCard(name="own", summary="A network.", dim=1)


@pytest.fixture
def registry():
    registry = BackboneRegistry()
    registry.register(Own.card, f"{__name__}:Own")
    registry.register_library(SHELF, f"{__name__}:Shelf")
    Shelf.constructed.clear()
    return registry


def test_models_are_named_by_their_library(registry):
    built = registry.build("shelf:first", {"frames": "4", "width": 2})
    assert (built.card.name, built.card.dim, built.options) == ("shelf.first", 4, {"width": 2})
    assert registry.draft("own").card is Own.card
    assert registry.entry("shelf:first").card is SHELF
    assert registry.load("shelf:any") is Shelf


def test_libraries_are_listed_apart(registry):
    assert list(registry) == ["own"]
    assert {name: entry.card for name, entry in registry.libraries.items()} == {"shelf": SHELF}


def test_options_of_the_library_are_part_of_the_key(registry):
    options = {"frames": 8, "width": 0.1, "layers": [1, 2], "norm": {"eps": 1e-5}}
    assert registry.completed("shelf:first", options) == options
    assert registry.canonical("shelf:first", options) == {
        "layers": [1, 2],
        "norm": {"eps": 1e-5},
        "width": 0.1,
    }
    assert registry.completed("shelf:first", {}) == {"frames": 8}


def test_a_model_is_built_once(registry):
    first = registry.draft("shelf:first", {"width": 1})
    assert registry.build("shelf:first", {"width": 1, "frames": 8}) is first
    assert registry.build("shelf:first", {"width": 1.0}) is not first
    assert registry.build("shelf:second", {"width": 1}) is not first
    assert Shelf.constructed == ["first", "first", "second"]


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("shelf", {}, "unknown backbone 'shelf'; did you mean 'shelf:'"),
        ("shelf:", {}, "expected shelf:MODEL; `harness list backbones shelf` lists the models"),
        ("shelv:first", {}, "unknown backbone 'shelv:'; did you mean 'shelf:'"),
        ("shelf:first", {"frames": "x"}, r"backbone 'shelf:first': option frames='x': "),
        ("shelf:first", {"width": math.inf}, "option width=inf: expected what a suite file can say"),
        ("shelf:first", {"width": {1}}, r"option width=\{1\}: expected what a suite file can say"),
        ("shelf:first", {"a=print(), b": None}, r"option 'a=print\(\), b' is no name that a keyword of Python"),
        ("shelf:first", {"class": 1}, "option 'class' is no name"),
        ("shelf:first", {"width": 0}, r"cannot be built with these options: AssertionError: no width, no network$"),
    ],
)
def test_wrong_names_and_options(registry, name, options, message):
    with pytest.raises(UsageError, match=message):
        registry.build(name, options)


def test_a_library_has_one_name(registry):
    with pytest.raises(PluginError, match="backbone 'shelf:' is registered twice by builtin"):
        registry.register_library(SHELF, f"{__name__}:Shelf")
    registry.rollback({})
    assert not registry.libraries


def test_a_library_carries_the_registered_card(registry):
    registry.register_library(replace(SHELF, name="other"), f"{__name__}:Shelf")
    with pytest.raises(PluginError, match=r"the card of .* is not the registered one"):
        registry.build("other:first")


class Told(Shelf):
    """A library whose models are made from files."""

    library: ClassVar[LibraryCard] = replace(SHELF, name="told")
    content = "0123"


def test_the_content_of_files_is_part_of_the_key_alone(registry):
    registry.register_library(Told.library, f"{__name__}:Told")
    assert registry.completed("told:first", {}) == {"frames": 8, "content": "0123"}
    assert registry.canonical("told:first", {"width": 2}) == {"width": 2}
    assert registry.build("told:first", {"width": 2}).options == {"width": 2}
