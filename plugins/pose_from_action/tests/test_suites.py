"""The suites: every name and option exists, and the paper's scale is the paper's."""

from __future__ import annotations

import functools
from importlib.resources import files

import pytest

from harness.errors import UsageError
from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_pose_from_action import CLAIMS, OTHER_STARTS, TABLES

pytest.importorskip("harness_temporal_coherency", reason="suites compare with its triplets")

STEPS, PAIRS = 100_000, 128
WEIGHTS = "vggm-786f2434.pth"
SUITES = {
    "Section 3": "pretext",
    "Table 1": "tables1-2",
    "Table 2": "tables1-2",
    "Table 3": "table3",
    "Table 4": "table4",
}
"""Suite of each of the paper's tables."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Every data set has a place, so that suites can be checked without one."""
    for name in ("UCF101", "HMDB51", "MANIFEST", "FLIC", "LEEDS_SPORTS", "VOC_ACTION2012"):
        monkeypatch.setenv(f"HARNESS_DATA_{name}", str(tmp_path))


@functools.cache
def suite(plugins, name, *changes):
    return load(f"pose-from-action-{name}", plugins.suites, changes=changes)


def built(plugins, name, method="pose_from_action"):
    """A suite's methods of that name."""
    chosen = [one for one in suite(plugins, name).methods if one.name == method]
    return [plugins.methods.build(one.name, one.options) for one in chosen]


def test_every_file_is_registered():
    written = {file.name for file in files("harness_pose_from_action").joinpath("suites").iterdir()}
    names = {*TABLES, *OTHER_STARTS, *CLAIMS} | {f"{name}-mini" for name in (*TABLES, *CLAIMS)}
    assert written == {f"{name}.yaml" for name in names}


@pytest.mark.parametrize("name", [*(name + end for name in (*TABLES, *CLAIMS) for end in ("", "-mini")), *OTHER_STARTS])
def test_every_suite_can_be_planned(plugins, everywhere, name, tmp_path):
    (tmp_path / WEIGHTS).touch()
    at = [f"methods.0.weights={tmp_path / WEIGHTS}"] if name.endswith("imagenet") else []
    loaded = suite(plugins, name, *at)
    assert loaded.name == f"pose-from-action-{name}"
    assert "video-harness-pose-from-action" in loaded.requires
    uses_triplets = "triplet" in {one.name for one in loaded.methods}
    assert ("video-harness-temporal-coherency" in loaded.requires) is uses_triplets
    cells = list(plan.identities(plan.check(loaded, plugins), plugins))
    assert {one.name for one in loaded.methods} == {cell.method.name for cell in cells}
    assert WEIGHTS in {cell.method.options.get("weights") for cell in cells} or not at  # no private path


def test_missing_weights_of_imagenet_are_one_line(plugins, everywhere):
    for name in ("tables1-2-imagenet", "table3-imagenet"):
        with pytest.raises(UsageError, match=rf"^.*expected a file of weights at .*{WEIGHTS}, where none is.*$"):
            plan.check(suite(plugins, name), plugins)


def test_starts_from_elsewhere_are_measured_as_the_others(plugins):
    for name in OTHER_STARTS:
        table, _, _ = name.rpartition("-")
        own, theirs = suite(plugins, name), suite(plugins, table)
        assert (own.data, own.evaluators) == (theirs.data, theirs.evaluators)
        assert all(one in theirs.backbones for one in own.backbones)


@pytest.mark.parametrize("name", TABLES)
def test_the_mini_suite_measures_the_same(plugins, name):
    """Evaluators are the same, but for options that depend on the data's size, and smooth labels of few videos."""
    sizes = {"frames", "batch_size", "lrs", "size", "label_smoothing"}
    paper, mini = (suite(plugins, name + scale) for scale in ("", "-mini"))
    measured = [
        [
            (one.name, {key: value for key, value in one.options.items() if key not in sizes})
            for one in loaded.evaluators
        ]
        for loaded in (paper, mini)
    ]
    assert measured[0] == measured[1]
    assert {one.name for one in paper.methods} <= {one.name for one in mini.methods}
    assert (len(paper.backbones), len(paper.pretraining)) == (len(mini.backbones), len(mini.pretraining))
    norms = [[one.options.get("norm", "response") for one in loaded.backbones] for loaded in (paper, mini)]
    assert norms == 2 * [["response", "batch"]]


@pytest.mark.parametrize("name", TABLES)
def test_the_minis_take_minutes_a_row(plugins, name):
    """1,200 steps of 32 pairs, as for the claims, on networks a quarter as wide, and few steps in the evaluators."""
    mini = suite(plugins, f"{name}-mini")
    assert mini.frames == 1_200 * 32 * 3
    assert mini.seeds == (0,)
    assert all((one.options["width"], one.options["size"]) == (0.25, 80) for one in mini.backbones)
    assert [one.options["size"] for one in (*mini.pretraining, *mini.data)] == ["mini", "mini"]
    for evaluator in mini.evaluators:
        if evaluator.name in ("finetune", "pose"):
            assert len(evaluator.options["lrs"]) == 1
            assert evaluator.options.get("frames", 0) <= 4800


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_parameters(plugins, name):
    loaded = suite(plugins, name)
    assert loaded.frames == STEPS * PAIRS * 3
    (union,) = loaded.pretraining
    assert [one if isinstance(one, str) else one["name"] for one in union.options["of"]] == [
        "ucf101",
        "hmdb51",
        "manifest",
    ]
    theirs, ours = built(plugins, name)
    for method in (theirs, ours):
        assert (method.batch_size, method.apart, method.negatives) == (PAIRS, 12, 2)
        assert (method.hidden, method.dropout, method.frame_colour) == (4096, 0.5, 0.0)
    assert (theirs.optimizer, theirs.lr, theirs.momentum, theirs.schedule) == ("sgd", 1e-3, 0.9, (0.75,))
    assert (ours.optimizer, ours.lr, ours.schedule) == ("adamw", 3e-4, "cosine")
    first, second = (one.options for one in loaded.backbones)
    assert (first, second) == ({"init": "gaussian"}, {"norm": "batch"})


def test_fits_are_shared_where_the_summaries_say_so(plugins):
    first = suite(plugins, "pretext")
    for name in ("tables1-2", "table3", "table4", "fig4"):
        other = suite(plugins, name)
        assert "hared with" in other.summary
        assert all(one in other.methods for one in first.methods)
        assert (first.backbones, first.pretraining, first.frames) == (other.backbones, other.pretraining, other.frames)


def test_both_recipes_meet_on_small_networks(plugins):
    theirs, ours = built(plugins, "pretext-mini")
    assert [one.options.get("init", "he") for one in suite(plugins, "pretext-mini").backbones] == ["gaussian", "he"]
    assert (theirs.optimizer, theirs.lr, theirs.schedule) == ("sgd", 1e-3, (0.75,))
    assert (ours.optimizer, ours.lr) == ("adamw", 3e-4)


def test_tables_1_and_2_say_how_fast_networks_are(plugins):
    for name in ("tables1-2", "tables1-2-mini"):
        assert "throughput" in {one.name for one in suite(plugins, name).evaluators}


def test_action_classification_is_trained_as_for_table_3(plugins):
    loaded = suite(plugins, "tables1-2-supervised")
    (method,) = built(plugins, "tables1-2-supervised", "supervised")
    assert loaded.frames == 20_000 * 256 == suite(plugins, "table3").evaluators[0].options["frames"]
    assert (method.batch_size, method.hidden, method.schedule) == (256, 2048, (0.7,))
    assert loaded.pretraining[0].name == "ucf101"


def test_table_3_trains_all_and_the_last_two_layers(plugins):
    for name in ("table3", "table3-mini"):
        options = [one.options for one in suite(plugins, name).evaluators]
        assert [one.get("frozen", 0) for one in options] == [0, "all"]
        assert {(one["hidden"], one["views"]) for one in options} == {(2048, "25x10")}


EVALUATORS = {
    "claims": ["pose", "pose", "pretext", "pose_pairs", "few_shot", "finetune", "finetune"],
    "claims-transfer": ["pose", "pose", "pretext", "pose_pairs", "few_shot", "finetune", "finetune"],
    "claims-scarce": ["pose"],
    "claims-colour": ["pose", "pretext", "pose_pairs", "few_shot"],
}


@pytest.mark.parametrize("ending", ["", "-mini"])
def test_claims_are_measured_with_three_seeds_on_one_network(plugins, ending):
    steps, size = (1_200, "mini") if ending else (3_600, "full")
    for name in CLAIMS:
        loaded = suite(plugins, name + ending)
        assert loaded.frames == steps * 32 * 3
        assert loaded.seeds == (0, 1, 2)
        assert [one.options for one in loaded.backbones] == [{"width": 0.25, "size": 80, "norm": "batch"}]
        assert {one.options["size"] for one in (*loaded.pretraining, *loaded.data)} == {size}
        assert [one.name for one in loaded.data] == ["mocap-actions-unbiased"]
        assert [one.name for one in loaded.evaluators] == EVALUATORS[name]
        assert loaded.evaluators[0].options | {"frames": 0} == {
            "train": "all",
            "size": 128,
            "frames": 0,
            "lrs": [0.001, 0.003],
        }
        assert {one.options.get("subset") for one in loaded.data} == {40 if name == "claims-scarce" else None}


def test_the_papers_numbers_stand_beside_its_suites(plugins):
    """Every published number is of a protocol of its own table's suite, none of a mini."""
    for one in plugins.published()[0]["pose_from_action"]:
        for ending, expected in (("", True), ("-mini", False)):
            loaded = suite(plugins, SUITES[one.table] + ending)
            assert (one.evaluator in loaded.evaluators and one.data in loaded.data) is expected, one
