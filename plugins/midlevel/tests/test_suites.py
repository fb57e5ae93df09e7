"""The suites: every name and option exists, and the paper's scale is the paper's."""

from __future__ import annotations

import functools

import pytest

from harness.errors import UsageError
from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_midlevel import CLAIMS, TABLES

FEW = {"name": "few_shot", "options": {"shots": [1, 2, 5]}}
VIDEOS = {"hmdb51": 3570, "mocap-actions": 540, "mocap-actions-unbiased": 540}
"""Training videos of a fold, of the smallest set of each scale."""
TRAIN_FRAMES = 9537 * 187
"""Frames of a training list of UCF101."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Every data set has a place, so that suites can be checked without one."""
    for name in ("UCF101", "HMDB51"):
        monkeypatch.setenv(f"HARNESS_DATA_{name}", str(tmp_path))


@functools.cache
def suite(plugins, name, changes=()):
    return load(f"midlevel-{name}", plugins.suites, changes=changes)


def offline(name, tmp_path):
    """A file of weights and a built-in network in place of those that timm has."""
    if name != "table2-rgb":
        return ()
    weights = tmp_path / "frames.pth"
    weights.write_bytes(b"weights")
    return (
        "backbones=[small_2d]",
        f"methods.2.weights={weights}",
        f"composites.1.of.2.weights={weights}",
    )


def parts(loaded):
    """Methods of a suite, those of its composites included."""
    return [*loaded.methods, *(part.method for composite in loaded.composites for part in composite.of)]


def ours(plugins, loaded):
    """Options of the methods of this plugin, completed with their defaults."""
    return [
        (one.name, plugins.methods.completed(one.name, one.options))
        for one in parts(loaded)
        if one.name.startswith("midlevel")
    ]


@pytest.mark.parametrize("name", [*TABLES, *CLAIMS])
@pytest.mark.parametrize("scale", ["", "-mini"])
def test_every_suite_can_be_planned(plugins, everywhere, tmp_path, name, scale):
    loaded = suite(plugins, name + scale, offline(name + scale, tmp_path))
    assert loaded.name == f"midlevel-{name}{scale}"
    assert set(loaded.requires) == {"video-harness-midlevel", "video-harness-dense-trajectories"}
    cells = list(plan.identities(plan.check(loaded, plugins), plugins))
    labels = {cell.method.name for cell in cells}
    assert labels == {one.name for one in loaded.methods} | {one.name for one in loaded.composites}
    for cell in cells:  # no network of pixels where none is read
        assert (cell.backbone is not None) is (cell.method.name in {"both-rgb", "pretrained", "supervised"})


@pytest.mark.parametrize("name", [*TABLES, *CLAIMS])
def test_the_mini_suite_measures_the_same(plugins, name):
    """Those of tables also measure from a few labels, because all labels leave nothing to compare."""
    paper, mini = (suite(plugins, name + scale) for scale in ("", "-mini"))
    few = [] if name == "figures" or name in CLAIMS else [FEW]
    assert [one.model_dump() for one in mini.evaluators] == [*(one.model_dump() for one in paper.evaluators), *few]
    shapes = [
        [
            [
                (one.name, one.options.get("network"), one.options.get("alpha"))
                for one in loaded.methods
                if one.name != last
            ],
            [(one.name, one.by, len(one.of)) for one in loaded.composites],
        ]
        for loaded, last in ((paper, "pretrained"), (mini, "supervised"))
    ]
    assert shapes[0] == shapes[1]
    assert name not in CLAIMS or paper.methods == mini.methods


@pytest.mark.parametrize("name", [*TABLES, *CLAIMS])
@pytest.mark.parametrize("scale", ["", "-mini"])
def test_volumes_are_learnt_from_before_descriptors(plugins, name, scale):
    """Their extraction writes the tables of descriptors as well; the other way round videos are extracted twice."""
    networks = [one.options.get("network", "") for one in suite(plugins, name + scale).methods]
    assert networks == sorted(networks, key=lambda network: network != "volumes")


@pytest.mark.parametrize("name", [*TABLES, *CLAIMS])
def test_the_minis_take_minutes(plugins, name):
    """320 frames of each of the 540 training videos, and at most 100 samples of each."""
    mini = suite(plugins, f"{name}-mini")
    assert mini.frames == 320 * 540
    assert mini.seeds == ((0, 1, 2) if name in CLAIMS else (0,))
    for data in (*mini.pretraining, *mini.data):
        assert data.options == {"size": "mini"}
    for method, options in ours(plugins, mini):
        volumes = options.get("network") == "volumes"
        assert options["samples"] == (25 if volumes else 100)
        assert options.get("clusters", options.get("concepts")) == (32 if volumes else 64)
        if method in ("midlevel", "midlevel_softmax"):
            recipe = [options[key] for key in ("members", "subsets", "cycles", "pretraining_epochs", "epochs")]
            assert recipe == ([20, 3, 2, 3, 2] if volumes else [30, 5, 2, 10, 4])
        if method == "midlevel_svm":
            assert options["members"] == 30


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_parameters(plugins, name):
    loaded = suite(plugins, name)
    assert loaded.frames >= TRAIN_FRAMES  # every video is paid for
    assert loaded.seeds == (0,)
    for method, options in ours(plugins, loaded):
        assert options["flow"] == "farneback"  # improved trajectories, as published
        if method == "midlevel_kmeans":
            assert (options["concepts"], options["codes"], options["dim"]) == (512, "pca", 198)
            continue
        assert options["clusters"] == (1000 if options.get("network") == "volumes" else 600)
        if method == "midlevel_svm" or (method == "midlevel_softmax" and name == "table1"):
            assert (options["members"], options["least"]) == (5, 3)  # of Singh et al.
        else:
            assert (options["subsets"], options["members"], options["cycles"]) == (10, 100, 4)
    folds = {tuple(folds) if isinstance(folds := one.options["fold"], list) else folds for one in loaded.pretraining}
    assert folds == ({1} if name == "figures" else {(1, 2, 3)})


@pytest.mark.parametrize("name", [*TABLES, *CLAIMS])
@pytest.mark.parametrize("scale", ["", "-mini"])
def test_members_of_all_clusters_are_at_most_half_of_a_subset(plugins, name, scale):
    """If every video has as many samples as are read; nearly all have, so that a fifth is spare."""
    loaded = suite(plugins, name + scale)
    videos = min(VIDEOS.get(one.name, 3570) for one in loaded.pretraining)
    for method, options in ours(plugins, loaded):
        if method == "midlevel_kmeans":
            continue
        read = min(videos, options["videos"]) * options["samples"] / options.get("subsets", 2)
        assert 2 * options["clusters"] * options["members"] <= 0.8 * read


def test_table_1_has_the_papers_four_rows(plugins):
    rows = ["midlevel_kmeans", "midlevel_svm", "midlevel_softmax", "midlevel"]
    for name in ("table1", "table1-mini"):
        assert [one.name for one in suite(plugins, name).methods] == rows
        assert {options.get("network", "descriptors") for _, options in ours(plugins, suite(plugins, name))} == {
            "descriptors"
        }
    paper = suite(plugins, "table1")
    assert [one.name for one in paper.pretraining] == ["hmdb51", "ucf101"]
    assert paper.data == ()  # each is measured on itself


def test_table_2_joins_both_networks_as_blocks_and_frames_are_a_third(plugins):
    for scale in ("", "-mini"):
        table, rgb = (suite(plugins, name + scale) for name in ("table2", "table2-rgb"))
        learnt, joined = ["volumes", "descriptors"], ["descriptors", "volumes"]
        assert [options["network"] for _, options in ours(plugins, table)] == learnt + joined
        assert rgb.methods[:2] == table.methods
        assert rgb.composites[0] == table.composites[0]
        volumes, descriptors, frames = rgb.methods
        assert tuple(part.method for part in rgb.composites[1].of) == (descriptors, volumes, frames)
        assert {one.by for one in rgb.composites} == {"blocks"}


def test_frames_are_of_resnet_152_at_the_papers_scale_and_of_a_named_small_network_in_the_mini(plugins):
    paper, mini = (suite(plugins, f"table2-rgb{scale}") for scale in ("", "-mini"))
    (network,) = paper.backbones
    assert network.name.split(".")[0] == "timm:resnet152"
    assert network.options == {"frames": 25, "stride": "uniform"}
    assert paper.methods[2].options == {"weights": "library", "learnt_from": "imagenet", "labels": True}
    assert (mini.methods[2].name, mini.backbones[0].name) == ("supervised", "small_2d")
    assert "labels included" in mini.summary


def test_weights_of_resnet_152_that_are_missing_are_one_line(plugins, everywhere):
    """A file of the user's that is not there: no suite starts without its frames."""
    changes = ("backbones=[small_2d]", "methods.2.weights=absent.pth", "composites.1.of.2.weights=absent.pth")
    with pytest.raises(UsageError, match=r"^.*expected a file of weights at .*absent.pth, where none is.*$"):
        plan.check(suite(plugins, "table2-rgb", changes), plugins)


def test_adaptivity_learns_on_two_sets_and_measures_on_one(plugins):
    paper, mini = (suite(plugins, f"adaptivity{scale}") for scale in ("", "-mini"))
    assert [one.name for one in paper.pretraining] == ["hmdb51", "ucf101"]
    assert [one.name for one in mini.pretraining] == ["mocap-actions", "mocap-actions-unbiased"]
    for loaded in (paper, mini):
        assert loaded.data == loaded.pretraining[1:]
        assert len(loaded.methods) == 1


def fits(plugins, name, changes=()):
    """Fits of the rows of a suite that are no composites."""
    cells = plan.identities(plan.canonical(suite(plugins, name, changes), plugins), plugins)
    return {
        (cell.method.label, cell.pretraining.label, cell.frames, cell.seed)
        for cell in cells
        if cell.method.name.startswith("midlevel")
    }


def test_fits_are_shared_where_the_summaries_say_so(plugins, tmp_path):
    shared = []
    for name in (f"{table}{scale}" for table in TABLES for scale in ("", "-mini")):
        summary = suite(plugins, name).summary
        here = fits(plugins, name, offline(name, tmp_path))
        if "shared with table 1" in summary:
            assert here <= fits(plugins, "table1")
            shared.append(name)
        if "shared with table 2" in summary:
            assert here == fits(plugins, "table2" + name.removeprefix("table2-rgb"))
            shared.append(name)
    assert shared == ["table2-rgb", "table2-rgb-mini", "adaptivity", "figures"]


@pytest.mark.parametrize("scale", ["", "-mini"])
def test_claims_suites_differ_where_they_are_learnt_and_in_their_rows(plugins, scale):
    here, elsewhere = (suite(plugins, name + scale) for name in ("claims", "claims-transfer"))
    assert here.methods == elsewhere.methods
    assert here.evaluators == elsewhere.evaluators
    assert [one.name for one in here.pretraining] == ["mocap-actions-unbiased"]
    assert [one.name for one in elsewhere.pretraining] == ["mocap-actions"]
    assert elsewhere.data == here.pretraining
    ranks = suite(plugins, f"claims-rank{scale}").methods
    assert [one.options.get("dim") for one in ranks] == [None, 20, 10, None, None, None, None, None]
    assert [one.options.get("alpha") for one in ranks] == [None, None, None, None, 1.0, 0.5, 0.1, None]


def test_the_papers_numbers_stand_beside_its_suites(plugins):
    """Every published number is of a protocol of its own table's suite, none of a mini."""
    for one in plugins.published()[0]["midlevel"]:
        name = one.table.lower().replace(" ", "")
        for ending, expected in (("", True), ("-mini", False)):
            loaded = suite(plugins, name + ending)
            data = loaded.data or loaded.pretraining
            assert (one.evaluator in loaded.evaluators and one.data in data) is expected, one
            if one.table == "Table 2":
                assert one.evaluator in suite(plugins, f"table2-rgb{ending}").evaluators
