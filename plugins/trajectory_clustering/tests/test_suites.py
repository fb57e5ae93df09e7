"""The suites: every name and option exists, and the paper's scale is the paper's."""

from __future__ import annotations

import functools

import pytest

from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness_trajectory_clustering.cards import VIDEO_IR

TABLES = ("table1", "table2", "table3", "table4", "table5", "table6", "table7")
NAMES = (*TABLES, "fig4", "objectives", "figures")
VIDEOS = 235_000
CLIP = 16
EPOCHS = 265
"""40 of instance recognition, 200 of local aggregation, 25 in the joint space."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Every data set has a place, so that suites can be checked without one."""
    for name in ("UCF101", "HMDB51", "KINETICS400", "KINETICS600"):
        monkeypatch.setenv(f"HARNESS_DATA_{name}", str(tmp_path))


@functools.cache
def suite(plugins, name):
    return load(f"trajectory-clustering-{name}", plugins.suites)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scale", ["", "-mini"])
def test_every_suite_can_be_planned(plugins, everywhere, name, scale):
    loaded = suite(plugins, name + scale)
    assert loaded.name == f"trajectory-clustering-{name}{scale}"
    assert "video-harness-trajectory-clustering" in loaded.requires
    assert "video-harness-dense-trajectories" in loaded.requires
    cells = list(plan.identities(plan.check(loaded, plugins), plugins))
    read = {choice.name for choice in loaded.methods} - {"random_init"}
    assert read <= {cell.method.name for cell in cells}


@pytest.mark.parametrize("name", NAMES)
def test_the_mini_suite_measures_the_same(plugins, name):
    """Evaluators are the same, but for options of the data's size; minis alone have scenes, and smooth labels."""
    sizes = {"frames", "batch_size", "lrs", "clusters", "repeats", "label_smoothing"}
    paper, mini = (
        [
            (one.name, {key: value for key, value in one.options.items() if key not in sizes})
            for one in suite(plugins, name + scale).evaluators
            if "label" not in one.options
        ]
        for scale in ("", "-mini")
    )
    assert paper == mini
    methods = [sorted({one.name for one in suite(plugins, name + scale).methods}) for scale in ("", "-mini")]
    assert set(methods[0]) <= set(methods[1])
    rows = [
        [len(loaded.backbones), len(loaded.pretraining)]
        for scale in ("", "-mini")
        for loaded in [suite(plugins, name + scale)]
    ]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("name", NAMES)
def test_the_minis_take_minutes(plugins, name):
    """At most 20 epochs of the 540 training videos, 8 frames a clip, on networks a quarter as wide."""
    mini = suite(plugins, f"{name}-mini")
    assert mini.frames <= 20 * 540 * 8
    assert mini.seeds == (0,)
    assert {backbone.options["width"] for backbone in mini.backbones} == {0.25}
    for data in (*mini.pretraining, *mini.data):
        assert data.options.get("size") == "mini" or data.name == "union"
    for evaluator in mini.evaluators:
        assert evaluator.name != "finetune" or evaluator.options["frames"] <= 4 * 540 * 8


@pytest.mark.parametrize("name", NAMES)
def test_the_papers_parameters(plugins, name):
    loaded = suite(plugins, name)
    longest = max(backbone.options.get("frames", CLIP) for backbone in loaded.backbones)
    assert loaded.frames == EPOCHS * longest * (370_000 if name == "table4" else VIDEOS)
    for choice in loaded.methods:
        method = plugins.methods.build(choice.name, choice.options)
        if choice.name not in ("video_ir", "video_la"):
            continue
        assert (method.optimizer, method.lr, method.momentum, method.weight_decay) == ("sgd", 0.03, 0.9, 1e-4)
        assert (method.batch_size, method.embedding, method.embedding_norm) == (256, 128, False)
        assert (method.crop, method.colour, method.frame_colour) == ("multi_scale", 0.4, 0.0)
        assert (method.temperature, method.negatives, method.bank_momentum) == (0.07, 4096, 0.5)
        if choice.name == "video_ir":
            assert method.schedule == (0.8, 0.95)
            continue
        clusters = EPOCHS * (1 - method.tuning * method.prior)
        drops = [share * clusters for share in method.schedule]
        assert drops == pytest.approx([clusters - 40, clusters - 10], abs=0.05)
        assert (method.warm_up, method.background) == (40, 4096)
        assert name == "table6" or (method.clusters, method.clusterings) == (6000, 3)
        if method.prior:
            assert (method.components, method.sketch, method.form) == (256, 2000, "paper")
            assert clusters == pytest.approx(240, abs=0.05) or (name, method.tuning) == ("table5", 0)
            assert method.boxes == "mask-rcnn" or name == "table5"


def options(plugins, name):
    """Options of the methods of a suite, completed with their defaults."""
    return [plugins.methods.completed(one.name, one.options) for one in suite(plugins, name).methods]


def test_table_1_compares_the_papers_objectives_between_its_baselines(plugins):
    for name in ("table1", "table1-mini", "table2", "table2-mini"):
        methods = suite(plugins, name).methods
        assert [one.name for one in methods] == ["random_init", "video_ir", "video_la", "video_la", "supervised"]
        assert [one.options.get("prior", False) for one in methods] == [False, False, False, True, False]
    assert suite(plugins, "table1").methods == suite(plugins, "table2").methods
    assert suite(plugins, "table1-mini").methods == suite(plugins, "table2-mini").methods


def test_table_3_and_4_have_the_papers_clips(plugins):
    assert [one.options["frames"] for one in suite(plugins, "table3").backbones] == [16, 32, 64]
    assert [one.options["frames"] for one in suite(plugins, "table3-mini").backbones] == [4, 8, 16]
    for name in ("table4", "table4-mini"):
        folds = [one.options["fold"] for one in suite(plugins, name).data]
        assert all(fold == [1, 2, 3] for fold in folds)
        assert [one.name for one in suite(plugins, name).methods][:2] == ["video_la", "idt_fv"]
    assert suite(plugins, "table4-mini").methods[2].name == "supervised"  # which shares of its accuracy are of


def test_table_5_leaves_out_the_detector_and_the_joint_space(plugins):
    for name, boxes in (("table5", "mask-rcnn"), ("table5-mini", "joints")):
        full, plain, untuned = options(plugins, name)
        assert {key for key in full if full[key] != plain[key]} == {"boxes"}
        assert (full["boxes"], plain["boxes"]) == (boxes, "")
        assert {key for key in full if full[key] != untuned[key]} - {"schedule"} == {"tuning"}
        assert untuned["tuning"] == 0


def test_table_6_has_the_papers_clusters_and_the_minis_are_the_same_multiples(plugins):
    paper, mini = (
        [(one["clusters"], one["clusterings"]) for one in options(plugins, f"table6{end}")] for end in ("", "-mini")
    )
    assert paper == [(30000, 10), (12000, 6), (6000, 3), (3000, 2), (1500, 1)]
    assert [m for _, m in mini] == [m for _, m in paper]
    for (clusters, _), (small, _) in zip(paper, mini, strict=True):
        assert abs(clusters / 6000 * 27 - small) <= 0.5


def test_table_7_crosses_depth_and_resolution(plugins):
    for name, sizes in (("table7", (112, 224)), ("table7-mini", (32, 64))):
        networks = [(one.name, one.options.get("size", 112)) for one in suite(plugins, name).backbones]
        assert networks == [(f"resnet3d_{depth}", size) for depth in (18, 34) for size in sizes]


def test_figure_4_grows_by_the_papers_numbers_of_videos(plugins):
    paper, mini = (suite(plugins, name).pretraining for name in ("fig4", "fig4-mini"))
    assert [one.options.get("subset") for one in paper] == [135_000, 185_000, None, None]
    assert [one.name for one in paper] == ["kinetics400"] * 3 + ["union"]
    assert paper[-1].options["of"] == ["kinetics400", "kinetics600"]
    sizes = [one.options.get("subset", 540) for one in mini]
    assert sizes == pytest.approx([540 * videos / VIDEOS for videos in (135_000, 185_000, 235_000, 370_000)], abs=1)


def test_objectives_are_all_there(plugins):
    for name in ("objectives", "objectives-mini"):
        rows = options(plugins, name)
        assert {one["objective"] for one in rows} == {"softmax", "nce", "sampled"}
        assert [(one["z"], one["exclude_own"]) for one in rows if one["objective"] == "nce"] == [
            ("first_batch", True),
            ("scaled", True),
            ("released", False),
        ]


def test_figures_hold_motion_beside_place(plugins):
    labels = [one.options.get("label", "action") for one in suite(plugins, "figures-mini").evaluators]
    assert labels == ["action", "scene"]
    for name in ("figures", "figures-mini"):
        assert {one.options["split"] for one in suite(plugins, name).evaluators} == {"train"}
        priors = [one.options.get("prior") for one in suite(plugins, name).methods if one.name == "video_la"]
        assert priors == [None, True]


def test_fits_are_shared_where_the_summaries_say_so(plugins):
    """A fit of the other suites is one of table 1's."""
    first = options(plugins, "table1")
    for name in ("table2", "table5", "table6", "table7", "figures"):
        assert "Fits are shared with table 1." in suite(plugins, name).summary
        assert any(one in first for one in options(plugins, name) if one.get("prior"))
        assert suite(plugins, name).frames == suite(plugins, "table1").frames


def test_the_papers_numbers_stand_beside_its_suites(plugins):
    """Every published number is of a protocol of its own table's suite, none of a mini."""
    for one in plugins.published()[0]["trajectory_clustering"]:
        name = one.table.lower().replace(" ", "")
        for ending, expected in (("", True), ("-mini", False)):
            loaded = suite(plugins, name + ending)
            assert (one.evaluator in loaded.evaluators and one.data in loaded.data) is expected, one


@pytest.mark.parametrize("name", [*TABLES, "fig4", "figures"])
def test_the_normaliser_that_is_not_the_papers_is_said(plugins, name):
    assert "Z of noise-contrastive estimation is measured on the first batch" in suite(plugins, name).summary
    assert any(deviation.startswith("Z of noise-contrastive") for deviation in VIDEO_IR.deviations)
