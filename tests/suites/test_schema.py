"""Suite files: data only, every wrong key named."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.plugins.file_registry import SuiteRegistry
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
