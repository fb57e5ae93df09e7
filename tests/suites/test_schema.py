"""Suite files: data only, every wrong key named."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.plugins.file_registry import SuiteRegistry
from harness.store.choices import starting_fit, starting_fits
from harness.suites.schema import load

GOOD = """
name: tiny
title: Tiny
frames: 1000
methods: [random_init, {name: quadruplet, margin: 1}]
backbones: [small_2d]
pretraining: [{name: mocap-actions, size: mini}]
evaluators: [knn]
seeds: [0, 1]
"""


@pytest.fixture
def file(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        return str(path)

    return write


def read(file, text, *changes):
    return load(file(text), SuiteRegistry(), changes=changes)


def test_names_with_and_without_options(file):
    suite = read(file, GOOD)
    assert [method.label for method in suite.methods] == ["random_init", "quadruplet(margin=1)"]
    assert suite.pretraining[0].options == {"size": "mini"}


def test_set_changes_values_in_order(file):
    suite = read(file, GOOD, "frames=5", "seeds=[3]", "methods.1.margin=2", "methods.1.window=4", "frames=6")
    assert (suite.frames, suite.seeds) == (6, (3,))
    assert suite.methods[1].options == {"margin": 2, "window": 4}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD + "evaluator: [knn]\n", "unknown key .*'evaluator'; did you mean 'evaluators'"),
        (GOOD.replace("frames: 1000", "frames: many"), "frames: .*integer"),
        (GOOD.replace("frames: 1000", "frames: 0"), "frames"),
        (GOOD.replace("seeds: [0, 1]", "seeds: []"), "seeds"),
        (GOOD.replace("seeds: [0, 1]", ""), "seeds: Field required"),
        (GOOD.replace("[knn]", "[{k: 5}]"), "evaluators.0: .*registered name"),
        (GOOD.replace("name: tiny", "name: ../x"), "name"),
        ("- a\n- b\n", "expected a mapping"),
        ("a: [\n", "not plain YAML"),
        (GOOD + "frames: 2000\n", "line 10: the key 'frames' comes twice; keep one"),
        (GOOD.replace("[0, 1]", "[-1]"), r"seeds\.0: .*greater than or equal to 0, got -1"),
        (GOOD.replace("[0, 1]", "[0, 4294967296]"), r"seeds\.1: .*less than 4294967296, got 4294967296"),
        (GOOD.replace("[0, 1]", "[0.5]"), r"seeds\.0: .*got 0\.5"),
        (GOOD.replace("margin: 1", "margin: .nan"), "line 5: expected a finite number, got .nan"),
        (GOOD.replace("margin: 1", "margin: -.inf"), "expected a finite number, got -.inf"),
        (GOOD.replace("Tiny", '"\\ud800"'), "half of a character"),
        (GOOD + "paths: " + 60 * "[", "expected at most 50 lists and mappings in each other"),
    ],
)
def test_wrong_suites_name_the_place(file, text, message):
    with pytest.raises(UsageError, match=message):
        read(file, text)


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system ['touch {}']", "!!python/name:os.system", "!!python/module:os {}"]
)
def test_yaml_that_would_execute_is_refused(file, tmp_path, tag):
    canary = tmp_path / "canary"
    with pytest.raises(UsageError, match="not plain YAML data"):
        read(file, GOOD + f"summary: {tag.format(canary)}\n")
    with pytest.raises(UsageError, match="not plain YAML data"):
        read(file, GOOD, f"summary={tag.format(canary)}")
    assert not canary.exists()


def test_a_file_that_is_no_utf8(tmp_path):
    path = tmp_path / "suite.yaml"
    path.write_bytes(GOOD.replace("Tiny", "caf\xe9").encode("latin-1"))
    with pytest.raises(UsageError, match=r"suite .*suite.yaml: expected UTF-8, got the byte 0xe9"):
        load(str(path), SuiteRegistry())


def test_set_of_what_is_no_plain_value(file):
    with pytest.raises(UsageError, match=r"--set frames=.inf: line 1: expected a finite number, got \.inf"):
        read(file, GOOD, "frames=.inf")
    with pytest.raises(UsageError, match="the key 'a' comes twice"):
        read(file, GOOD, "paths={a: x, a: y}")


@pytest.mark.parametrize("change", ["frames", "methods.9.margin=1", "methods.0.margin=1", "no.such=1", "methods.x=1"])
def test_set_that_has_no_place(file, change):
    with pytest.raises(UsageError, match="--set"):
        read(file, GOOD, change)


def test_set_of_an_unknown_key(file):
    with pytest.raises(UsageError, match="'frmes'; did you mean 'frames'"):
        read(file, GOOD, "frmes=1")


def test_a_missing_file_and_a_missing_name(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load(str(tmp_path / "none.yaml"), SuiteRegistry())
    with pytest.raises(UsageError, match="unknown suite"):
        load("quickstart", SuiteRegistry())


def test_relative_paths_start_from_the_file(file, tmp_path):
    suite = read(file, GOOD + "paths: {ucf101: data, hmdb51: /data, flic: ~/flic}")
    assert suite.folder == tmp_path
    assert {name: str(path) for name, path in suite.paths.items()} == {
        "ucf101": str(tmp_path / "data"),
        "hmdb51": "/data",
        "flic": "~/flic",
    }


def test_relative_paths_of_a_registered_suite_start_from_the_current_folder(tmp_path, monkeypatch):
    registered = SuiteRegistry()
    monkeypatch.setattr(registered, "text", lambda _: GOOD)
    monkeypatch.chdir(tmp_path)
    suite = load("good", registered, changes=["paths={ucf101: data}"])
    assert suite.paths == {"ucf101": tmp_path / "data"}


def test_set_of_a_place_or_a_limit_that_the_suite_does_not_have(file):
    suite = read(file, GOOD, "paths.ucf101=/data", "limits.fit_hours=1", "view.size=112")
    assert suite.paths == {"ucf101": Path("/data")}
    assert suite.limits.fit_hours == 1
    assert suite.view == {"size": 112}


PARTS = """
composites:
  - {name: alone, of: [{method: sfa, crops: 3}]}
  - name: both
    by: blocks
    of:
    - sfa
    - {name: sfa, method: inner}
    - {method: {name: supervised, lr: 0.003}, backbone: small_3d, pretraining: {name: blobs, subset: 3}, clips: 4}
"""


def test_parts_are_methods_or_mappings_with_a_method(file):
    alone, both = read(file, GOOD + PARTS, "composites.1.of.2.clips=2").composites
    assert alone.choice.label == "alone(by=concat, of=sfa, 3 crops)"
    assert [part.label for part in both.of] == [
        "sfa",
        "sfa(method=inner)",
        "supervised(lr=0.003) on small_3d, learnt from blobs(subset=3), 2 clips",
    ]
    assert both.choice.options == {"of": [part.model_dump() for part in both.of], "by": "blocks"}
    assert both.choice.options["of"][0] == {"name": "sfa", "options": {}}


def test_each_method_has_the_backbones_that_it_is_fitted_on(file):
    suite = read(file, GOOD + PARTS, "backbones=[small_2d, c3d]")
    fitted = [(method.name, *(one.name for one in backbones)) for method, backbones in suite.fitted]
    shared = ("small_2d", "c3d")
    assert fitted == [
        ("random_init", *shared),
        ("quadruplet", *shared),
        *[("sfa", *shared)] * 3,
        ("supervised", "small_3d"),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("composites.0.of=[]", r"composites.0.of: .*at least 1 item"),
        ("composites.0.by=blocks", "composites.0: .*expected two parts or more of which blocks are made, got one"),
        ("composites.0.of.0.crops=2", "composites.0.of.0.crops: Input should be 1, 3, 5 or 10"),
        ("composites.0.of.0.clips=0", "composites.0.of.0.clips: .*greater than 0"),
        ("composites.0.of.0.crop=10", "composites.0.of.0.crop: Extra inputs are not permitted"),
        ("composites.0.of.0=7", "composites.0.of.0.method: .*expected a registered name, or a mapping .* got 7"),
        ("composites.1.of.2.backbone=7", "composites.1.of.2.backbone: .*expected a registered name"),
        (
            "composites.1.of.2.pretraining={name: ucf101, fold: [1, 2]}",
            r"composites.1.of: .*part 'supervised': expected one fold to learn from, got fold: \[1, 2\]",
        ),
    ],
)
def test_wrong_parts_name_the_place(file, change, message):
    with pytest.raises(UsageError, match=message) as raised:
        read(file, GOOD + PARTS, change)
    assert "\n" not in str(raised.value)


def test_methods_that_are_started_from_are_fitted_on_the_same_backbones(file):
    started = "methods.0={name: sfa, start: {fit: {method: {name: supervised, start: {fit: {method: triplet}}}}}}"
    part = "composites.1.of.2.method.start={fit: {method: quadruplet}}"
    suite = read(file, GOOD + PARTS, "backbones=[small_2d, c3d]", started, part)
    fitted = [(method.name, *(one.name for one in backbones)) for method, backbones in suite.fitted]
    assert fitted[5:] == [
        ("supervised", "small_3d"),
        ("supervised", "small_2d", "c3d"),
        ("triplet", "small_2d", "c3d"),
        ("quadruplet", "small_3d"),
    ]


def test_a_limit_is_an_option_of_every_data_set(file):
    suite = read(file, GOOD + "data: [ucf101, {name: blobs, limit: 3}]\n", "limit=20")
    assert suite.pretraining[0].options == {"size": "mini", "limit": 20}
    assert [data.options for data in suite.data] == [{"limit": 20}, {"limit": 3}]
    assert read(file, GOOD).limited() == read(file, GOOD)
    with pytest.raises(UsageError, match="limit: Input should be greater than 0"):
        read(file, GOOD, "limit=0")


def test_a_limit_is_an_option_of_the_data_of_parts_and_of_starting_fits(file):
    inner = "{name: supervised, start: {fit: {method: triplet, pretraining: {name: hmdb51, limit: 3}}}}"
    started = f"{{name: sfa, start: {{fit: {{method: {inner}, pretraining: ucf101}}, strict: false}}}}"
    part = "composites.1.of.2.method.start={fit: {method: quadruplet, pretraining: kinetics}}"
    suite = read(file, GOOD + PARTS, "limit=20", f"methods.0={started}", part)
    learnt = [fit.pretraining for fit in starting_fits(suite.methods[0])]
    assert [(data.name, data.options) for data in learnt] == [("ucf101", {"limit": 20}), ("hmdb51", {"limit": 3})]
    assert suite.methods[0].options["start"]["strict"] is False
    assert suite.methods[1] == read(file, GOOD).methods[1]
    sfa, *_, own = suite.composites[1].of
    assert sfa.pretraining is None
    assert own.pretraining.options == {"subset": 3, "limit": 20}
    assert starting_fit(own.method).pretraining.options == {"limit": 20}
