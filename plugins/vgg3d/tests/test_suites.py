"""The suites: every name and option exists, and the paper's scale is the paper's."""

from __future__ import annotations

import functools
import json
from importlib.resources import files

import pytest

from harness.errors import UsageError
from harness.execution import plan
from harness.plugins.manager import Plugins
from harness.suites.folds import folds
from harness.suites.schema import load
from harness_vgg3d import CLAIMS, TABLES

FILES = ("vgg19-d01eb7cb.pth", "c3d.safetensors")
"""Weights that the paper's rows start from, and those of the network beside them."""
EPOCHS, CROPS, FRAMES = 14, 6, 30
TRAINING = {"ucf101": 9537, "hmdb51": 3570}
"""Videos of a training list."""
OTHER = {"mocap-actions": "mocap-actions-unbiased", "mocap-actions-unbiased": "mocap-actions"}
PUBLISHED = {"Table I": "table1", "Table II": "table2", "Table III": "table3"}
"""Suite of each of the paper's tables."""
ENDINGS = ["", "-mini"]
SIZES = {False: ("full", 1890, 30), True: ("mini", 540, 15)}
"""Size, training videos and frames of a clip, of a claims' suite and of a mini."""
FOLDED = ("table1-mini", "table3-mini")
"""Minis of three folds, whose networks learn the same fold."""


@pytest.fixture(scope="module")
def plugins():
    return Plugins()


@pytest.fixture
def everywhere(monkeypatch, tmp_path):
    """Every data set has a place, so that suites can be checked without one."""
    for name in ("UCF101", "HMDB51"):
        monkeypatch.setenv(f"HARNESS_DATA_{name}", str(tmp_path))


@pytest.fixture
def offline(tmp_path):
    """Change of a suite that names places of its weights, where empty files lie."""
    places = {name: str(tmp_path / name) for name in FILES}
    for place in places.values():
        (tmp_path / place).touch()

    def changes(name):
        used = FILES[:1] if name == "fig4" else FILES
        return () if embedded(name) else (f"paths={json.dumps({one: places[one] for one in used})}",)

    return changes


def embedded(name):
    """True for a suite on the embedded data."""
    return name.endswith("-mini") or name in CLAIMS


@functools.cache
def suite(plugins, name, changes=()):
    return load(f"vgg3d-{name}", plugins.suites, changes=changes)


def parts(loaded):
    """Parts of all composites of a suite."""
    return [part for composite in loaded.composites for part in composite.of]


def choices(loaded):
    """Methods of a suite, those of its composites included."""
    return [*loaded.methods, *(part.method for part in parts(loaded))]


def settings(plugins, choice, *ignored):
    """Name and all options of a method, completed with their defaults, in one line."""
    options = plugins.methods.completed(choice.name, choice.options)
    return choice.name, json.dumps({key: value for key, value in options.items() if key not in ignored})


def identities(plugins, loaded):
    return list(plan.identities(plan.canonical(loaded, plugins), plugins))


ALL = [f"{name}{ending}" for name in (*TABLES, *CLAIMS) for ending in ENDINGS]


def test_every_file_is_registered():
    written = {file.name for file in files("harness_vgg3d").joinpath("suites").iterdir()}
    assert written == {f"{name}.yaml" for name in ALL}


@pytest.mark.parametrize("name", ALL)
def test_every_suite_can_be_planned(plugins, everywhere, offline, name):
    loaded = suite(plugins, name, offline(name))
    assert loaded.name == f"vgg3d-{name}"
    assert loaded.requires == ("video-harness-vgg3d",)
    cells = list(plan.identities(plan.check(loaded, plugins), plugins))
    assert {cell.method.name for cell in cells} == {one.name for one in (*loaded.methods, *loaded.composites)}
    alone = {one.name for one in loaded.composites if all(part.backbone is not None for part in one.of)}
    for cell in cells:  # a row of C3D alone has no part of the suite's network
        assert (cell.backbone is None) is (cell.method.name in alone), cell.method.name


@pytest.mark.parametrize("name", ALL)
def test_only_the_papers_scale_needs_weights_and_data_of_the_user(plugins, name):
    """What the embedded data needs is planned on a machine that has nothing."""
    loaded = suite(plugins, name)
    starts = {start.weights for one in choices(loaded) if (start := plugins.methods.start(one.name, one.options))}
    data = [*loaded.pretraining, *loaded.data, *(part.pretraining for part in parts(loaded) if part.pretraining)]
    networks = {one.name for one in (*loaded.backbones, *(part.backbone for part in parts(loaded) if part.backbone))}
    if embedded(name):
        assert starts == set()
        assert not any(plugins.datasets.entry(one.name).card.located for one in data)
        assert networks <= {"small_2d", "small_3d"}
        plan.check(loaded, plugins)
    else:
        assert starts == set(FILES[:1] if name == "fig4" else FILES)
        assert networks == ({"vgg19"} if name == "fig4" else {"vgg19", "c3d"})
        assert "files of the user" in loaded.summary or "a file of the user" in loaded.summary


@pytest.mark.parametrize("missing", FILES)
def test_weights_that_are_missing_are_one_line(plugins, everywhere, offline, tmp_path, missing):
    (tmp_path / missing).unlink()
    with pytest.raises(UsageError, match=rf"^[^\n]*expected a file of weights at .*{missing}, where none is[^\n]*$"):
        plan.check(suite(plugins, "table1", offline("table1")), plugins)


@pytest.mark.parametrize("name", TABLES)
def test_the_budget_is_the_papers_and_the_summary_says_how(plugins, name):
    loaded = suite(plugins, name)
    (data,) = {one.name for one in loaded.pretraining}
    assert loaded.frames == EPOCHS * TRAINING[data] * CROPS * FRAMES
    assert f"{EPOCHS} x {TRAINING[data]:,} x {CROPS} x {FRAMES} = {loaded.frames:,}" in loaded.summary
    hours = EPOCHS * TRAINING["ucf101"] * CROPS / 60 * 1.6 / 3600  # of 1.6 s for 60 videos
    assert hours == pytest.approx(6, abs=0.1)


@pytest.mark.parametrize("name", TABLES)
def test_the_papers_parameters(plugins, name):
    loaded = suite(plugins, name)
    for choice in choices(loaded):
        if choice.name == "pretrained":
            continue
        options = plugins.methods.completed(choice.name, choice.options)
        assert (options["frames"], options["dropout"]) == (FRAMES, 0.5)
        assert (options["optimizer"], options["momentum"]) == ("sgd", 0.9)
        whole = options["trained"] == "all"
        assert (options["batch_size"], options["lr"]) == ((4, 0.001) if whole else (60, 0.01))
        assert choice.name == "spatial_stream" or options["units"] == 1024
    assert [one.name for one in loaded.backbones] == ["vgg19"]
    assert [one.options["fold"] for one in loaded.pretraining] == [[1, 2, 3] if name in ("table1", "table3") else 1]
    assert loaded.data == ()  # each is measured on itself
    assert loaded.seeds == ((0, 1) if name == "fig4" else (0,))


@pytest.mark.parametrize("name", ALL)
def test_fusions_take_ten_crops_of_vgg3d_and_clips_of_the_other_network(plugins, name):
    loaded = suite(plugins, name)
    of_vgg3d = [one for one in loaded.methods if one.name == "vgg3d"]
    assert of_vgg3d
    for composite in loaded.composites:
        assert composite.by == "concat"
        *ours, last = composite.of
        for part in [*ours, *([last] if last.method.name == "vgg3d" else [])]:
            assert (part.crops, part.aggregate, part.clips) == (10, "max", None)
            assert part.method in of_vgg3d  # its fit is that of the row beside it
            assert (part.backbone, part.pretraining) == (None, None)
        if last.method.name == "vgg3d":
            assert composite.name == "vgg3d-crops"
            continue
        assert (last.crops, last.aggregate or "mean") == (None, "mean")
        if embedded(name):
            assert (last.method.name, last.backbone.label, last.clips) == ("supervised", "small_3d", 4)
        else:
            layer = composite.name.rpartition("-")[2]
            assert (last.method.options["learnt_from"], last.clips) == ("sports1m", 10)
            assert (last.backbone.name, last.backbone.options) == ("c3d", {"output": layer})


ROWS = {
    "table1": {"Our approach (VGG-3D)": "vgg3d", "Our approach (VGG-3D + C3D-fc6-1 net)": "vgg3d-c3d-fc6"},
    "table2": {
        "Spatial VGG-stream (pretrained and fine tuned)": "spatial_stream, all",
        "VGG-3D (pretrained and fine tuned)": "vgg3d, all",
        "Spatial VGG-stream (pretrained and adaptation layers)": "spatial_stream",
        "VGG-3D (pretrained and adaptation layers)": "vgg3d",
        "VGG-3D (pretrained and fine tuned) + C3D-fc6-1 net": "vgg3d-all-c3d-fc6",
        "VGG-3D (pretrained and adaptation layers) + C3D-fc7-1 net": "vgg3d-c3d-fc7",
        "VGG-3D (pretrained and adaptation layers) + C3D-fc6-1 net": "vgg3d-c3d-fc6",
    },
    "table3": {"Our approach (VGG-3D)": "vgg3d", "Our approach (VGG-3D + C3D-fc6-1 net)": "vgg3d-c3d-fc6"},
}
"""Row of a suite for each of the paper's own."""


def row(choice):
    return ", ".join([choice.name, *(["all"] if choice.options.get("trained") == "all" else [])])


@pytest.mark.parametrize("table", PUBLISHED)
def test_every_row_of_the_papers_own_is_a_row_of_its_suite(plugins, table):
    name = PUBLISHED[table]
    published = [one for one in plugins.published()[0]["vgg3d"] if one.table == table and "quoted" not in one.note]
    assert {one.method for one in published} == ROWS[name].keys()
    loaded = suite(plugins, name)
    rows = [row(one) for one in loaded.methods] + [one.name for one in loaded.composites]
    assert set(rows) - {"c3d-fc6", "c3d-fc7"} == set(ROWS[name].values())
    assert len(set(rows)) == len(rows)
    composed = {one.name: one for one in loaded.composites}
    for one in published:
        ours = ROWS[name][one.method]
        assert (ours in composed) is (one.evaluator.name == "lbfgs_softmax")
        if ours in composed:
            part, _ = composed[ours].of
            assert (part.method.options.get("trained") == "all") is ("fine tuned" in one.method)


def test_the_papers_numbers_stand_beside_its_suites(plugins):
    """Every published number is of a protocol of a suite of its tables, none of a mini."""
    for one in plugins.published()[0]["vgg3d"]:
        three = one.table == "Table II" and isinstance(one.data.options["fold"], list)  # quoted over three splits
        for ending, expected in (("", True), ("-mini", False)):
            loaded = suite(plugins, ("table1" if three else PUBLISHED[one.table]) + ending)
            assert (one.evaluator in loaded.evaluators and one.data in loaded.pretraining) is expected, one


@pytest.mark.parametrize("name", TABLES)
def test_the_mini_suite_measures_the_same(plugins, name):
    """All rows but those of C3D's fc7: the network in its role has one layer to take.

    Table II has one more, of random frame maps.
    """
    paper, mini = (suite(plugins, name + ending) for ending in ENDINGS)
    assert mini.evaluators == paper.evaluators
    varied = [
        [
            (one.name, *(one.options.get(key) for key in ("trained", "order", "kernel", "shuffled")))
            for one in loaded.methods
        ]
        for loaded in (paper, mini)
    ]
    assert varied[1] == varied[0] + [("vgg3d", None, None, None, None)] * (name == "table2")
    assert all("start" in one.options for one in mini.methods[: len(paper.methods)])
    assert not any("start" in one.options for one in mini.methods[len(paper.methods) :])
    rows = [one.name.removesuffix("-fc6") for one in paper.composites if not one.name.endswith("-fc7")]
    assert [one.name for one in mini.composites] == rows
    assert mini.seeds == paper.seeds


@pytest.mark.parametrize("name", [name for name in ALL if embedded(name)])
def test_the_embedded_data_is_of_one_size_and_recipe(plugins, name):
    """16 epochs; the 2D network starts from 160 frames of each training video."""
    loaded, (size, videos, frames) = suite(plugins, name), SIZES[name.endswith("-mini")]
    assert loaded.frames == 16 * videos * frames
    assert [one.name for one in loaded.backbones] == ["small_2d"]
    data = [*loaded.pretraining, *(part.pretraining for part in parts(loaded) if part.pretraining)]
    assert {one.options["size"] for one in data} == {size}
    own = {one.name for one in loaded.pretraining}
    for choice in loaded.methods:
        options = plugins.methods.completed(choice.name, choice.options)
        assert (options["frames"], options["batch_size"], options["lr"]) == (frames, 16, 0.001)
        assert choice.name == "spatial_stream" or (options["channels"], options["units"]) == (32, 256)
        if "start" in choice.options:
            fit = choice.options["start"]["fit"]
            learnt = fit.get("pretraining")
            assert (fit["method"], fit["frames"]) == ("supervised", 160 * videos)
            assert learnt is None if name in FOLDED else learnt == {"name": OTHER[min(own)], "size": size}
    assert "starts from a fit that has learnt the labels" in loaded.summary


def test_three_folds_are_averaged_where_the_papers_are(plugins):
    for name, data in (("table1-mini", "mocap-actions-unbiased"), ("table3-mini", "mocap-actions")):
        loaded = suite(plugins, name)
        assert [(one.name, one.options["fold"]) for one in loaded.pretraining] == [(data, [1, 2, 3])]
        cells = identities(plugins, loaded)
        for method in {cell.method.label for cell in cells}:
            measured = {cell.data.options.get("fold", 1) for cell in cells if cell.method.label == method}
            assert measured == {1, 2, 3}, method


@pytest.mark.parametrize("name", ALL)
def test_no_network_learns_takes_that_its_row_is_tested_on(plugins, name):
    """Groups of one number are the same takes in both variants, so that both have to be of one fold."""
    loaded = suite(plugins, name)
    for part in parts(loaded):
        if part.pretraining is None:
            continue
        (own,) = folds(part.pretraining)
        for measured in loaded.pretraining:
            (fold,) = folds(measured)
            assert OTHER[fold.name] == own.name
            assert own.options.get("fold", 1) == fold.options.get("fold", 1)


@pytest.mark.parametrize("name", ["fig4", "fig4-mini", "claims-order", "claims-order-mini"])
def test_order_is_tried_in_all_ways(plugins, name):
    """Trained in order and shuffled, by kernels over three frames and one, tested in order and shuffled."""
    loaded = suite(plugins, name)
    tried = [plugins.methods.completed(one.name, one.options) for one in loaded.methods]
    ways = {(one["order"], one["kernel"]) for one in tried}
    assert ways == {(order, kernel) for order in ("time", "shuffled") for kernel in (1, 3)}
    assert len({settings(plugins, one, "order", "kernel") for one in loaded.methods}) == 1
    assert [one.label for one in loaded.evaluators] == ["own_softmax(crops=1)", "own_softmax(crops=1, shuffled=True)"]
    assert loaded.composites == ()


def sizeless(value):
    """A value without sizes and numbers of frames, whatever is nested in what."""
    if isinstance(value, dict):
        return {key: sizeless(one) for key, one in value.items() if key not in ("size", "frames")}
    return [sizeless(one) for one in value] if isinstance(value, list) else value


def fits(plugins, name):
    """Fits of the rows of a suite that are no composites."""
    return {
        (cell.method.label, cell.backbone.label, cell.pretraining.label, cell.frames, cell.seed)
        for cell in identities(plugins, suite(plugins, name))
        if cell.method.name in ("vgg3d", "spatial_stream")
    }


@pytest.mark.parametrize("ending", ENDINGS)
def test_fits_are_shared_between_tables(plugins, ending):
    table1, table2, fig4 = (fits(plugins, name + ending) for name in ("table1", "table2", "fig4"))
    assert len(table2 & fig4) == 1
    if not ending:
        assert table1 & table2 == table2 & fig4
        assert "that of table1" in suite(plugins, "table2").summary
        assert "that of table2" in suite(plugins, "fig4").summary


@pytest.mark.parametrize("ending", ENDINGS)
def test_fits_of_claims_are_shared_where_they_can_be(plugins, ending):
    claims, order = (fits(plugins, name + ending) for name in ("claims", "claims-order"))
    assert len(claims & order) == 3  # in order, over three frames, of three seeds


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_are_measured_with_three_seeds_and_differ_in_size_alone(plugins, name):
    full, mini = (suite(plugins, name + ending) for ending in ENDINGS)
    assert full.seeds == mini.seeds == (0, 1, 2)
    assert sizeless([one.options for one in full.methods]) == sizeless([one.options for one in mini.methods])
    assert full.evaluators == mini.evaluators
    written = [files("harness_vgg3d").joinpath(f"suites/{name}{ending}.yaml").read_text("utf-8") for ending in ENDINGS]
    rows = [text.partition("\nmethods:\n")[2] for text in written]
    shorter = {"size: full": "size: mini", "frames: 302400": "frames: 86400", "batch_size": "frames: 15, batch_size"}
    for long, short in shorter.items():
        rows[0] = rows[0].replace(long, short)
    assert rows[0] == rows[1]


@pytest.mark.parametrize("ending", ENDINGS)
def test_claims_differ_where_they_are_learnt(plugins, ending):
    """The network in the role of C3D has learnt on the other variant."""
    here, biased, order = (suite(plugins, name + ending) for name in CLAIMS)
    assert here.evaluators == biased.evaluators
    alone = [one for one in here.methods if "trained" not in one.options and "start" in one.options]
    assert [turned(one.options) for one in biased.methods] == [one.options for one in alone]
    assert {one.name for one in here.composites} - {one.name for one in biased.composites} == {"vgg3d-all-c3d"}
    assert [one.name for one in (*here.pretraining, *biased.pretraining)] == list(OTHER)[::-1]
    assert order.pretraining == here.pretraining
    for loaded in (here, biased):
        (data,) = loaded.pretraining
        assert {part.pretraining.name for part in parts(loaded) if part.pretraining} == {OTHER[data.name]}


def turned(value):
    """A value with each variant of the embedded data in the place of the other."""
    if isinstance(value, dict):
        return {key: turned(one) for key, one in value.items()}
    return OTHER.get(value, value) if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["claims", "claims-mini", "claims-biased", "claims-biased-mini"])
def test_claims_have_both_parts_of_the_fusion_alone(plugins, name):
    """Each by the same classifier, clips and crops as beside the other."""
    loaded = {one.name: one for one in suite(plugins, name).composites}
    assert loaded["vgg3d-c3d"].of == loaded["vgg3d-crops"].of + loaded["c3d"].of
    if "biased" not in name:
        assert loaded["vgg3d-all-c3d"].of[1:] == loaded["c3d"].of
        assert loaded["vgg3d-all-c3d"].of[0].method.options["trained"] == "all"
