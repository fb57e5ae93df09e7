"""Plans: what is refused before anything runs, and what a partial copy leaves in the protocol."""

from __future__ import annotations

import os

import pytest

from harness.datasets import file_index, locations
from harness.errors import UsageError
from harness.execution.plan import Planner, check, coverage, identities
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite

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
    planner = Planner(plugins, told.paths)
    (identity,) = identities(told)
    before = planner.cell(identity)
    assert "coverage" not in before.protocol
    moved = ucf101.with_name("moved")
    ucf101.rename(moved)
    assert Planner(plugins, {"ucf101": moved}).cell(identity).key == before.key


def test_a_partial_copy_is_part_of_the_protocol(plugins, ucf101):
    (identity,) = identities(suite())
    whole = Planner(plugins, {"ucf101": ucf101}).cell(identity)
    videos = sorted((ucf101 / "UCF-101" / "Backflip").iterdir())
    videos[0].unlink()  # of test
    videos[1].write_bytes(b"")
    planner = Planner(plugins, {"ucf101": ucf101})
    cell = planner.cell(identity)
    assert cell.fit_key == whole.fit_key
    assert cell.key != whole.key
    assert set(cell.protocol["coverage"]) == {"test"}
    found = cell.protocol["coverage"]["test"]
    assert (found["videos"], found["listed"], found["reasons"]) == (19, 21, {"empty": 1, "missing": 1})
    assert coverage(planner.split(identity.data, "train")) == {}


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
