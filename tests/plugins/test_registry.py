"""Registries: strict names, clashes, lazy imports, checked options."""

from __future__ import annotations

import ast
import json
import math
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from harness.cards import DatasetCard, MethodCard
from harness.errors import PluginError, UsageError
from harness.evaluators.cards import KNN
from harness.plugins.file_registry import SuiteRegistry
from harness.plugins.kinds import BackboneRegistry, DatasetRegistry, EvaluatorRegistry
from harness.plugins.names import Origin
from harness.plugins.registry import Registry
from harness.testing.fixtures import MovingSquares

if TYPE_CHECKING:
    from pathlib import Path

CARD = MethodCard(name="thing", summary="A thing.")


@dataclass(frozen=True)
class Base:
    margin: float = 0.5


@dataclass(frozen=True)
class Thing(Base):
    card: ClassVar[MethodCard] = CARD
    folder: Path | None = None
    layers: tuple[int, ...] = ()

    def __post_init__(self):
        if self.margin < 0:
            msg = "margin must not be negative"
            raise ValueError(msg)


class Plain:
    card = MethodCard(name="plain", summary="No dataclass.")

    def __init__(self, k: int = 3):
        self.k = k


@pytest.fixture
def registry():
    registry: Registry[Thing] = Registry("method")
    registry.register(CARD, f"{__name__}:Thing")
    registry.register(Plain.card, f"{__name__}:Plain")
    return registry


def test_build_gives_options_their_declared_types(registry):
    thing = registry.build("thing", {"margin": 2, "layers": [1, 2]})
    assert thing == Thing(margin=2.0, layers=(1, 2))
    assert isinstance(thing.margin, float)
    assert registry.build("plain", {"k": 7}).k == 7


def test_iterates_sorted(registry):
    assert list(registry) == ["plain", "thing"]
    assert len(registry) == 2


def test_options_are_completed_by_the_constructors_defaults(registry):
    everything = {"margin": 0.5, "folder": None, "layers": []}
    assert registry.completed("thing", {}) == everything
    written = registry.completed("thing", {"margin": "0.5", "layers": []})  # YAML reads 5e-1 as text
    assert written == everything
    assert isinstance(written["margin"], float)
    assert registry.completed("plain", {"k": "4"}) == {"k": 4}
    with pytest.raises(UsageError, match="'layer'"):
        registry.completed("plain", {"layer": "fc6"})
    with pytest.raises(UsageError, match="option margin"):
        registry.completed("thing", {"margin": "wide"})


def test_options_have_one_spelling_without_defaults(registry):
    assert registry.canonical("thing", {"margin": 5e-1, "layers": ()}) == {}
    spelt = registry.canonical("thing", {"margin": "2", "layers": (1, "2"), "folder": "/x"})
    assert spelt == {"folder": "/x", "layers": [1, 2], "margin": 2.0}
    assert list(spelt) == ["folder", "layers", "margin"]


@pytest.mark.parametrize("name", ["os.system", "subprocess.getoutput", "thin"])
def test_only_registered_short_names_are_found(registry, name):
    with pytest.raises(UsageError, match="unknown method"):
        registry.build(name, {"command": "true"})


def test_unknown_name_names_the_nearest(registry):
    with pytest.raises(UsageError, match="did you mean 'thing'"):
        registry.entry("thinq")


def test_unknown_option_names_the_nearest(registry):
    with pytest.raises(UsageError, match="'margn'; did you mean 'margin'"):
        registry.build("thing", {"margn": 1})


@pytest.mark.parametrize("value", ["wide", None, [1]])
def test_option_of_the_wrong_type(registry, value):
    with pytest.raises(UsageError, match="option margin"):
        registry.build("thing", {"margin": value})


def test_option_of_the_wrong_value(registry):
    with pytest.raises(UsageError, match="margin must not be negative"):
        registry.build("thing", {"margin": -1})


def test_clash_names_both_origins(registry):
    registry.origin = Origin("other", "harness-other", "1.2")
    registry.register(CARD, "somewhere:Else")
    for use in (registry.entry, registry.load, registry.build, registry.draft):
        with pytest.raises(PluginError, match=r"builtin and harness-other 1\.2"):
            use("thing")
    assert "thing" in registry
    assert "thing" not in list(registry)
    assert len(registry) == len(list(registry))
    with pytest.raises(PluginError, match=r"method 'thing' is registered twice by harness-other 1\.2"):
        registry.register(CARD, "somewhere:Third")


@pytest.mark.parametrize("target", ["nowhere", "a.b:c.d", ":C", "a.b:"])
def test_target_must_be_module_and_attribute(target):
    with pytest.raises(PluginError, match="not of the form"):
        Registry("method").register(CARD, target)


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("missing_module:C", "ModuleNotFoundError"),
        (f"{__name__}:Missing", "AttributeError"),
        (f"{__name__}:Plain", "card"),
    ],
)
def test_broken_target_is_the_plugins_fault(target, problem):
    registry: Registry[Thing] = Registry("method")
    registry.register(CARD, target)
    with pytest.raises(PluginError, match=problem):
        registry.load("thing")


@pytest.mark.parametrize("kind", [BackboneRegistry, DatasetRegistry, EvaluatorRegistry])
def test_a_card_of_another_kind_is_refused(kind):
    with pytest.raises(PluginError, match=r"m:C of builtin: expected an? \w+Card, got MethodCard$"):
        kind().register(CARD, "m:C")


def test_a_library_has_a_card_of_its_own_kind():
    with pytest.raises(PluginError, match="expected a LibraryCard, got MethodCard"):
        BackboneRegistry().register_library(CARD, "m:C")


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"unit": "s"}, "has metrics.0.unit = 's'"),
        ({"bounds": (0.0, math.inf)}, "has NaN or infinity in metrics"),
        ({"bounds": (math.nan, None)}, "has NaN or infinity in metrics"),
    ],
)
def test_a_card_that_no_board_could_hold_is_refused(changes, problem):
    card = replace(KNN, metrics=(replace(KNN.metrics[0], **changes),))
    with pytest.raises(PluginError, match=f"evaluator 'knn' of builtin: its card {problem}"):
        EvaluatorRegistry().register(card, "m:C")


def test_rollback_forgets(registry):
    before = registry.snapshot()
    registry.register(MethodCard(name="more", summary="More."), "m:C")
    registry.rollback(before)
    assert "more" not in registry


def test_suites():
    suites = SuiteRegistry()
    suites.register("quickstart", "harness.suites:quickstart.yaml")
    assert "methods:" in suites.text("quickstart")
    with pytest.raises(PluginError, match="suite 'quickstart' is registered twice by builtin"):
        suites.register("quickstart", "a:b.yaml")
    for resource in ("b.yaml", ":b.yaml"):
        with pytest.raises(PluginError, match="not of the form"):
            suites.register("more", resource)
    with pytest.raises(PluginError, match="short name"):
        suites.register("../x", "a:b.yaml")
    with pytest.raises(UsageError, match="did you mean 'quickstart'"):
        suites.text("quickstrat")
    suites.register("gone", "harness.suites:gone.yaml")
    with pytest.raises(PluginError, match="cannot be read"):
        suites.text("gone")


@pytest.mark.parametrize("fault", ["raise RuntimeError('no licence')", "def broken(:"])
def test_a_package_of_suites_that_cannot_be_imported(tmp_path, monkeypatch, fault):
    package = tmp_path / "unlicensed"
    package.mkdir()
    (package / "__init__.py").write_text(f"{fault}\n")
    monkeypatch.syspath_prepend(tmp_path)
    suites = SuiteRegistry()
    suites.register("closed", "unlicensed:suite.yaml")
    with pytest.raises(PluginError, match=r"^suite 'closed' of builtin: unlicensed:suite.yaml cannot be read: [^\n]+$"):
        suites.text("closed")


class Squares(MovingSquares):
    card = DatasetCard(name="squares", summary="Squares that lie somewhere.", located=True)

    def __init__(self, images: bool = False, *, location: Path | None = None):
        super().__init__()
        self.images = images
        self.location = location


@pytest.fixture
def datasets():
    registry = DatasetRegistry()
    registry.register(Squares.card, f"{__name__}:Squares")
    registry.register(MovingSquares.card, "harness.testing.fixtures:MovingSquares")
    return registry


def test_every_data_set_has_the_derived_options_beside_its_own(datasets):
    assert type(datasets.build("squares", {"images": True})) is Squares
    assert datasets.build("squares", {"images": True}).images is True  # its own: frames as images are not taken
    assert len(datasets.build("squares", {"subset": 5, "images": True}).split("train")) == 5
    assert len(datasets.build("moving-squares", {"subset": 5, "images": 2}).split("train")) == 10
    with pytest.raises(UsageError, match="data set 'squares': option subset=0"):
        datasets.build("squares", {"subset": 0})
    with pytest.raises(UsageError, match="unknown option of data set 'squares': 'subzet'; did you mean 'subset'"):
        datasets.build("squares", {"subzet": 5})


def test_options_of_data_sets_are_completed(datasets):
    derived = {"limit": None, "subset": 5, "subset_seed": 0, "joined": False, "labels": None}
    assert datasets.completed("squares", {"subset": 5}) == {**derived, "images": False}
    with pytest.raises(UsageError, match="did you mean 'subset'"):
        datasets.completed("squares", {"subzet": 5})


def test_where_a_data_set_lies_is_no_option(datasets, tmp_path):
    assert datasets.build("squares").location is None
    assert datasets.build("squares", locations={"squares": tmp_path, "other": tmp_path}).location == tmp_path
    with pytest.raises(UsageError, match="unknown option of data set 'squares': 'location'"):
        datasets.build("squares", {"location": str(tmp_path)})
    with pytest.raises(UsageError, match="'moving-squares': its class has no keyword 'location'"):
        datasets.build("moving-squares", locations={"moving-squares": tmp_path})


@dataclass(kw_only=True)
class Odd:
    card = MethodCard(name="odd", summary="Options that JSON has no word for.")

    names: frozenset[str] = frozenset()
    share: int | float = 1
    limit: float = math.inf
    whole: float = 1
    anything: Any = None
    tree: ast.AST | None = None


class Keywords:
    card = MethodCard(name="keywords", summary="Takes what nobody names.")

    def __init__(self, k: int = 3, *more: int, **others: int) -> None:
        pass


class Unwritable:
    card = MethodCard(name="unwritable", summary="Its default is a function.")

    def __init__(self, key: Any = len) -> None:
        pass


def made(share):
    class Made:
        card = MethodCard(name="made", summary="Made by a function.")
        half = share

    return Made


@pytest.fixture
def odd():
    registry: Registry[Any] = Registry("method")
    for kind in (Odd, Keywords, Unwritable):
        registry.register(kind.card, f"{__name__}:{kind.__name__}")
    return registry


def test_sets_are_in_order(odd):
    letters = "qwertzuiopasdfghjklyxcvbnm"
    assert odd.canonical("odd", {"names": list(letters)}) == {"names": sorted(letters)}


@pytest.mark.parametrize(("written", "spelt"), [(1.0, [1.0]), (1, []), (0.5, [0.5])])
def test_one_and_one_whole_are_two_options(odd, written, spelt):
    assert [*map(repr, odd.canonical("odd", {"share": written}).values())] == [*map(repr, spelt)]


def test_defaults_are_spelt_as_options_are(odd):
    everything = odd.completed("odd", {})
    assert everything == odd.completed("odd", {"whole": 1, "share": 1})
    assert (repr(everything["whole"]), everything["limit"]) == ("1.0", "inf")
    json.dumps(everything, allow_nan=False)


@pytest.mark.parametrize("option", ["limit", "anything"])
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, [math.nan], {"a": math.inf}])
def test_no_option_is_infinite(odd, option, value):
    with pytest.raises(UsageError, match=f"option {option}="):
        odd.canonical("odd", {option: value})


@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("odd", {"tree": "x"}, UsageError),
        ("odd", {"anything": len}, UsageError),
        ("keywords", {"others": 1}, UsageError),
        ("keywords", {"more": 1}, UsageError),
        ("unwritable", {}, PluginError),
    ],
)
def test_what_no_suite_can_say_is_named(odd, name, options, error):
    with pytest.raises(error, match=next(iter(options), "key")):
        odd.completed(name, options)


class Breaks:
    card = MethodCard(name="breaks", summary="Its constructor raises.")

    def __init__(self, error: str = "KeyError") -> None:
        raise {"KeyError": KeyError, "ImportError": ImportError, "RuntimeError": RuntimeError}[error]("weights\nof it")


@pytest.mark.parametrize("error", ["KeyError", "ImportError", "RuntimeError"])
@pytest.mark.parametrize("make", ["build", "draft"])
def test_a_constructor_that_breaks_is_the_plugins_fault(make, error):
    registry: Registry[Any] = Registry("method")
    registry.register(Breaks.card, f"{__name__}:Breaks")
    with pytest.raises(
        PluginError, match=rf"^method 'breaks' of builtin cannot be built: {error}: [^\n]*weights[^\n]+$"
    ):
        getattr(registry, make)("breaks", {"error": error})


MADE = f"from {__name__} import made\nHalf = made(2)\n"


@pytest.mark.parametrize("remedy", ["", "Half.__module__ = __name__\n"])
def test_a_class_is_of_the_module_that_it_names(monkeypatch, tmp_path, remedy):
    """A class that a helper made would be hashed by the helper's code, and not by its own module's."""
    (tmp_path / "made_in_test.py").write_text(MADE + remedy)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_in_test", raising=False)
    registry: Registry[Any] = Registry("method")
    registry.register(made(2).card, "made_in_test:Half")
    if remedy:
        assert registry.load("made").half == 2
    else:
        with pytest.raises(PluginError, match=r"set `Half.__module__ = __name__`"):
            registry.load("made")
    del sys.modules["made_in_test"]


def test_what_is_no_class_is_refused(monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "Plain", Plain())
    registry: Registry[Any] = Registry("method")
    registry.register(Plain.card, f"{__name__}:Plain")
    with pytest.raises(PluginError, match="is no class"):
        registry.load("plain")
