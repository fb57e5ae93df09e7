"""Plans: what is refused before anything runs, and what a partial copy leaves in the protocol."""

from __future__ import annotations

import dataclasses
import inspect
import os

import pytest

from harness.datasets import file_index, locations
from harness.datasets.split_views import SplitView
from harness.errors import PluginError, UsageError
from harness.evaluators.knn import KNN
from harness.execution import cells as suite_cells
from harness.execution import codes, units
from harness.execution.plan import Planner, canonical, check, coverage, identities, plan_cell, plan_suite
from harness.execution.sources import DataSources
from harness.methods.random_init import RandomInit
from harness.plugins.manager import Plugins
from harness.store import keys
from harness.store.choices import Choice
from harness.suites.schema import Suite
from harness.system.code import code_hash
from harness.values import Encoding, Promise

SUITE = {
    "name": "tiny",
    "title": "Tiny",
    "frames": 1000,
    "methods": ["random_init"],
    "backbones": ["small_2d"],
    "pretraining": [{"name": "ucf101", "bad": "skip"}],
    "evaluators": ["knn"],
    "seeds": [0],
}


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture(autouse=True)
def quick(home, monkeypatch):
    def looked(folder, names):
        return ((name, file_index.probe(folder / name)) for name in names)

    monkeypatch.setattr(file_index, "_inspected", looked)
    monkeypatch.setenv(locations.variable("ucf101"), "/nowhere")  # which the suite's own path is stronger than


def suite(**changes):
    return Suite.model_validate({**SUITE, **changes})


def test_a_suite_may_say_where_data_lies(plugins, ucf101):
    told = suite(paths={"ucf101": str(ucf101)})
    environment = dict(os.environ)
    check(told, plugins)
    assert dict(os.environ) == environment
    (identity,) = identities(told, plugins)
    before = plan_cell(identity, plugins, DataSources(plugins, told.paths))
    assert "coverage" not in before.protocol
    moved = ucf101.with_name("moved")
    ucf101.rename(moved)
    assert plan_cell(identity, plugins, DataSources(plugins, {"ucf101": moved})).key == before.key


def test_a_partial_copy_is_part_of_the_protocol(plugins, ucf101):
    (identity,) = identities(suite(), plugins)
    whole = plan_cell(identity, plugins, DataSources(plugins, {"ucf101": ucf101}))
    videos = sorted((ucf101 / "UCF-101" / "Backflip").iterdir())
    videos[0].unlink()  # of test
    videos[1].write_bytes(b"")
    sources = DataSources(plugins, {"ucf101": ucf101})
    cell = plan_cell(identity, plugins, sources)
    assert cell.fit_key == whole.fit_key
    assert cell.key != whole.key
    assert set(cell.protocol["coverage"]) == {"test"}
    found = cell.protocol["coverage"]["test"]
    assert (found["videos"], found["listed"], found["reasons"]) == (19, 21, {"empty": 1, "missing": 1})
    assert coverage(sources.split(identity.data, "train")) == {}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pretraining": ["shards"]}, "'shards' has no test split to measure on"),
        ({"paths": {"ucf1O1": "/data"}}, "did you mean 'ucf101'"),
        ({"data": [{"name": "ucf101", "subset": 0}]}, "subset=0"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_runs(plugins, changes, message):
    with pytest.raises(UsageError, match=message):
        check(suite(**changes), plugins)


def test_learning_from_what_has_no_test_split(plugins):
    check(suite(pretraining=["shards"], data=["ucf101"]), plugins)


SQUARES = {"name": "squares", "title": "Squares", "frames": 512, "methods": ["counted"], "backbones": ["small_2d"]}


class Watched(DataSources):
    """Data sets of which one split can be changed."""

    def __init__(self, plugins, change):
        super().__init__(plugins)
        self.change = change

    def split(self, choice, name):
        split = super().split(choice, name)
        return self.change(split) if (choice, name) == (MEASURED, "test") else split


MEASURED = Choice(name="blobs", options={"subset_seed": 1})


class OtherManifest(SplitView):
    @property
    def manifest(self):
        return "other"


class Incomplete(SplitView):
    @property
    def left_out(self):
        return {"Backflip/1.avi": "missing"}


def other_code(plugins, monkeypatch):
    known, fragile = code_hash, plugins.evaluators.load("fragile")
    monkeypatch.setattr(keys, "code_hash", lambda *targets: "other" if fragile in targets else known(*targets))


def other_source(plugins, monkeypatch):
    fragile = plugins.evaluators.load("fragile")
    card = dataclasses.replace(fragile.card, protocol="own")
    other = type("Other", (fragile,), {"card": card, "__module__": fragile.__module__})
    monkeypatch.setattr(plugins.evaluators, "draft", lambda name, options: other())


SOURCES = {
    "evaluator": {"evaluator": Choice(name="fragile", options={"precision": "float16"})},
    "evaluator_code": other_code,
    "source": other_source,
    "data": {"data": Choice(name="blobs", options={"subset_seed": 3})},
    "manifests": OtherManifest,
    "coverage": Incomplete,
}
"""For each part of a protocol a change of where it comes from: in the suite, in a split, or elsewhere."""


class Broken(SplitView):
    """A split of which one part breaks."""

    def __init__(self, split, part):
        super().__init__(split)
        self.part = part

    @property
    def manifest(self):
        return {}[self.name] if self.part == "manifest" else super().manifest

    def unlabelled(self):
        return {}[self.name] if self.part == "unlabelled" else super().unlabelled()


@pytest.mark.parametrize(
    ("part", "problem"),
    [
        ("split", "gives no split 'train'"),
        ("unlabelled", "gives no split without labels"),
        ("manifest", "gives split 'train' no manifest"),
    ],
)
def test_a_data_set_that_breaks_while_a_suite_is_planned_is_named(squares, monkeypatch, part, problem):
    plugins = Plugins()
    blobs = plugins.datasets.load("blobs")
    known = blobs.split

    def split(self, name):
        return {}[name] if part == "split" else Broken(known(self, name), part)

    monkeypatch.setattr(blobs, "split", split)
    with pytest.raises(PluginError, match=rf"^data set 'blobs' {problem}: KeyError: 'train'; see "):
        plan_cell(squares, plugins, DataSources(plugins))


@pytest.fixture
def squares(toy):
    """The identity of a cell of the toy plugin, whose evaluator asks for no features."""
    content = {**SQUARES, "pretraining": ["blobs"], "data": [MEASURED], "evaluators": ["fragile"], "seeds": [0]}
    (identity,) = identities(Suite.model_validate(content), Plugins())
    return identity


@pytest.mark.parametrize("part", inspect.signature(keys.protocol).parameters)
def test_a_planned_protocol_carries_each_of_its_parts(squares, monkeypatch, part):
    plugins, change = Plugins(), SOURCES[part]
    before = plan_cell(squares, plugins, DataSources(plugins))
    sources, identity = DataSources(plugins), squares
    if isinstance(change, dict):
        identity = squares.model_copy(update=change)
    elif isinstance(change, type):
        sources = Watched(plugins, change)
    else:
        change(plugins, monkeypatch)
    after = plan_cell(identity, plugins, sources)
    names = before.protocol.keys() | after.protocol.keys()
    with_it = {"evaluator_code"} if part == "evaluator" else set()  # of the class that applies options of features
    assert {name for name in names if before.protocol.get(name) != after.protocol.get(name)} == {part} | with_it
    assert after.key != before.key
    assert after.row.key == before.row.key
    assert after.encodings == before.encodings == ()


def test_features_that_other_code_reads_are_others(squares, monkeypatch):
    identity, plugins = squares.model_copy(update={"evaluator": Choice(name="knn")}), Plugins()
    before = plan_cell(identity, plugins, DataSources(plugins))
    monkeypatch.setattr(keys, "encoding_code", lambda dataset: "other")
    after = plan_cell(identity, plugins, DataSources(plugins))
    assert len({encoding.key for cell in (before, after) for encoding in cell.encodings}) == 4
    assert after.row.key == before.row.key


def test_a_run_is_of_its_features(squares, monkeypatch):
    """What an evaluator asks for is part of a run's key, though its options and its protocol say nothing of it."""
    identity, plugins = squares.model_copy(update={"evaluator": Choice(name="knn")}), Plugins()
    before = plan_cell(identity, plugins, DataSources(plugins))
    monkeypatch.setattr(KNN, "encodings", lambda self, promise, data, *, seed: (Encoding(split="test", shuffle=seed),))
    after = plan_cell(identity, plugins, DataSources(plugins))
    assert after.protocol == before.protocol
    assert after.key != before.key


CHANGES = {
    "split": "train",
    "layer": "colours",
    "clips": 3,
    "crops": 3,
    "shuffle": 5,
    "frames": 4,
    "precision": "float16",
    "tokens": True,
}


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Encoding) if field.name != "aggregate"])
def test_an_encoding_that_differs_in_anything_has_another_key(squares, monkeypatch, name):
    identity, plugins = squares.model_copy(update={"evaluator": Choice(name="knn")}), Plugins()
    asked = Encoding(), dataclasses.replace(Encoding(), **{name: CHANGES[name]})
    monkeypatch.setattr(KNN, "encodings", lambda self, promise, data, *, seed: asked)
    one, other = plan_cell(identity, plugins, DataSources(plugins)).encodings
    assert (one.encoding, other.encoding) == tuple(keys.encoded(one.fit.promise, encoding) for encoding in asked)
    assert one.key != other.key


@pytest.mark.parametrize("name", ["method", "backbone"])
def test_changed_code_makes_another_fit(squares, monkeypatch, name):
    plugins = Plugins()
    registry, choice = {
        "method": (plugins.methods, squares.method),
        "backbone": (plugins.backbones, squares.backbone),
    }[name]
    before = plan_cell(squares, plugins, DataSources(plugins))
    known, changed = code_hash, registry.load(choice.name)
    monkeypatch.setattr(codes, "code_hash", lambda loaded: "other" if loaded is changed else known(loaded))
    after = plan_cell(squares, plugins, DataSources(plugins))
    assert after.row.key != before.row.key
    assert after.protocol == before.protocol


SPELLINGS = {
    "methods": ["supervised", {"name": "supervised", "lr": 0.003}, {"name": "supervised", "lr": "3e-3"}],
    "evaluators": [
        "knn",
        *({"name": "knn", "k": k} for k in (20, 20.0, "20")),
    ],
    "pretraining": ["blobs", {"name": "blobs", "joined": False}],
    "composites": [{"name": "both", "of": ["supervised", {"name": "supervised", "label": "action"}]}],
}


def test_one_measurement_has_one_key_however_it_is_written(toy):
    """Cells that are equal once typed and completed are one, and are called by what differs from the defaults."""
    plugins = Plugins()
    written = Suite.model_validate({**SQUARES, **SPELLINGS, "backbones": ["small_2d"], "data": [], "seeds": [0, 0]})
    spelt = check(written, plugins)
    assert [len(spelt.methods), len(spelt.evaluators), len(spelt.pretraining), len(spelt.seeds)] == [1, 1, 1, 1]
    labels = {(cell.method.label, cell.evaluator.label, cell.data.label) for cell in identities(spelt, plugins)}
    assert labels == {("supervised", "knn", "blobs"), ("both(by=concat, of=supervised + supervised)", "knn", "blobs")}
    sources = DataSources(plugins)
    made = [
        {plan_cell(cell, plugins, sources).key for cell in identities(suite, plugins)} for suite in (written, spelt)
    ]
    assert made[0] == made[1]
    assert len(made[0]) == 2


def test_a_changed_default_is_another_key(squares, monkeypatch):
    plugins = Plugins()
    identity = squares.model_copy(update={"evaluator": Choice(name="knn")})
    before = plan_cell(identity, plugins, DataSources(plugins))
    monkeypatch.setattr(KNN.__init__, "__defaults__", (21, *KNN.__init__.__defaults__[1:]))
    after = plan_cell(identity, Plugins(), DataSources(plugins))
    assert after.key != before.key


TWO_NETWORKS = {
    **SQUARES,
    "methods": ["random_init", "supervised"],
    "backbones": ["small_2d", "small_3d"],
    "pretraining": ["blobs", {"name": "blobs", "subset": 8}],
    "data": ["blobs"],
    "evaluators": ["knn"],
    "seeds": [0],
}


def test_a_method_has_one_row_for_all_that_it_does_not_read(toy, monkeypatch):
    plugins = Plugins()
    suite = check(Suite.model_validate(TWO_NETWORKS), plugins)
    cells = list(identities(suite, plugins))
    assert [cell.method.name for cell in cells].count("supervised") == 4
    untrained = [cell for cell in cells if cell.method.name == "random_init"]
    assert [(cell.backbone.name, cell.pretraining, cell.frames) for cell in untrained] == [
        ("small_2d", None, None),
        ("small_3d", None, None),
    ]
    monkeypatch.setattr(suite_cells, "method_reads", lambda method, plugins: frozenset({"seed"}))
    assert [(cell.method.name, cell.backbone) for cell in identities(suite, plugins)] == [
        ("random_init", None),
        ("supervised", None),
    ]


def test_what_a_card_says_is_not_read_cannot_be(toy, tmp_path, monkeypatch):
    """The fit fails by name, instead of a number that depends on more than its key."""
    plugins = Plugins()
    identity = next(identities(check(Suite.model_validate(TWO_NETWORKS), plugins), plugins))
    spec = plan_cell(identity, plugins, DataSources(plugins))
    workshop = units.Workshop(units.Workplace(store=tmp_path), plugins)
    units.fit(spec.row, workshop)
    fit = RandomInit.fit
    monkeypatch.setattr(RandomInit, "fit", lambda self, backbone, train, session: len(train) and fit(self))
    workshop = units.Workshop(units.Workplace(store=tmp_path / "other"), plugins)
    with pytest.raises(PluginError, match=r"'random_init' uses len\(\) of its pretraining"):
        units.fit(spec.row, workshop)


def test_a_pinned_view_leaves_out_what_sees_something_else(toy):
    plugins = Plugins()
    suite = check(Suite.model_validate({**TWO_NETWORKS, "view": {"frames": 8, "size": 64}}), plugins)
    planned = plan_suite(suite, plugins, DataSources(plugins))
    reasons = {cell.identity.backbone.name: cell.not_applicable for cell in planned.cells}
    assert reasons["small_2d"] == ""
    assert reasons["small_3d"] == "its encoder sees 16×2, 64 px; the suite pins frames 8"


def test_views_and_whole_videos_share_one_protocol(squares):
    """What an encoder sees is a property of its row; clips and crops are of the protocol."""
    plugins = Plugins()
    sources = DataSources(plugins)
    knn = squares.model_copy(update={"evaluator": Choice(name="knn")})
    three = knn.model_copy(update={"evaluator": Choice(name="knn", options={"clips": 3})})
    small, large = (
        plan_cell(cell.model_copy(update={"backbone": Choice(name=name)}), plugins, sources)
        for cell, name in ((knn, "small_2d"), (knn, "small_3d"))
    )
    assert small.row.promise.sees != large.row.promise.sees
    assert small.protocol == large.protocol
    assert small.key != large.key
    assert plan_cell(three, plugins, sources).protocol != small.protocol


def test_tokens_are_planned_where_encoders_have_them(squares, monkeypatch):
    plugins = Plugins()
    sources = DataSources(plugins)
    probe = squares.model_copy(update={"evaluator": Choice(name="attentive_probe")})
    planned = plan_cell(probe, plugins, sources)
    assert planned.not_applicable == ""
    assert [(one.encoding.split, one.encoding.layer, one.encoding.tokens) for one in planned.encodings] == [
        ("train", "feature_map", True),
        ("test", "feature_map", True),
    ]
    bare = dataclasses.replace(planned.row, promise=Promise(views=planned.row.promise.views, shape=(128,)))
    monkeypatch.setattr(Planner, "row", lambda *arguments: bare)
    planned = plan_cell(probe, plugins, sources)
    assert (planned.not_applicable, planned.encodings) == ("its encoders offer no tokens", ())


def test_how_clips_are_aggregated_is_of_the_protocol_and_of_no_feature(squares):
    plugins = Plugins()
    sources = DataSources(plugins)
    options = ({"clips": 3}, {"clips": 3, "aggregate": "mean"}, {"clips": 3, "aggregate": "max"})
    mean, written, largest = (
        plan_cell(squares.model_copy(update={"evaluator": Choice(name="knn", options=one)}), plugins, sources)
        for one in options
    )
    assert mean.protocol["aggregation"] == "mean over clips and crops"
    assert "aggregate" not in mean.protocol["evaluator"]["options"]
    assert (written.key, written.protocol) == (mean.key, mean.protocol)
    assert largest.protocol["aggregation"] == "max over clips and crops"
    assert largest.key != mean.key
    assert [one.key for one in largest.encodings] == [one.key for one in mean.encodings]


@pytest.mark.parametrize(
    ("written", "spelt"),
    [([2, 1], [1, 2]), (["1", 2.0], [1, 2]), ([2, 1, 2], [1, 2]), ([1, 1], None), ([2, 2], 2), ([1], None)],
)
def test_folds_have_one_spelling(written, spelt):
    data = [{"name": "mocap-actions", "size": "mini", "fold": written}]
    suite = canonical(Suite.model_validate({**TWO_NETWORKS, "pretraining": data, "data": []}), Plugins())
    assert suite.pretraining[0].options.get("fold") == spelt


def test_cells_share_what_they_have_in_common_and_are_planned_as_alone(squares, monkeypatch):
    plugins = Plugins()
    sources = DataSources(plugins)
    cells = [
        squares.model_copy(update={"seed": seed, "evaluator": Choice(name=name)})
        for seed in (0, 1, 2)
        for name in ("knn", "linear_probe")
    ]
    alone = [plan_cell(cell, plugins, sources) for cell in cells]
    drafted, draft = [], plugins.methods.draft
    monkeypatch.setattr(plugins.methods, "draft", lambda name, options: drafted.append(name) or draft(name, options))
    planner = Planner(plugins, sources)
    assert [planner.cell(cell) for cell in cells] == alone
    assert drafted == [squares.method.name]
    assert len({cell.row.key for cell in alone}) == 3
    assert len({cell.key for cell in alone}) == 6
