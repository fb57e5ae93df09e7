"""Composites in a suite: rows made of other rows, measured as one."""

from __future__ import annotations

import pytest
import torch

from harness import api
from harness.encoders.composite import CompositeEncoder
from harness.encoders.frozen import CachedEncoder
from harness.encoders.reduced import ReducedEncoder
from harness.errors import UsageError
from harness.execution import restore, units
from harness.execution.plan import check, plan_cell, plan_suite
from harness.execution.sources import DataSources
from harness.execution.units import Workplace, Workshop
from harness.plugins.manager import Plugins
from harness.store import keys
from harness.store.choices import Choice
from harness.store.reduction import Reduction
from harness.store.runs import Store
from harness.store.specs import Composite, ReducedFit
from harness.suites.schema import load
from harness.system import paths
from harness.values import Encoding

SUITE = """
name: fused
title: Fused
frames: 512
methods: [random_init]
composites:
  - {name: both, of: [random_init, {name: counted, scale: 2.0}]}
backbones: [small_2d]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}, {name: finetune, frames: 512, lrs: [0.001]}]
seeds: [0]
"""


@pytest.fixture
def suite(toy, tmp_path):
    path = tmp_path / "fused.yaml"
    path.write_text(SUITE)
    return path


def test_a_composite_is_a_row_whose_parts_are_fitted_once(suite, toy):
    result = api.run(suite)
    assert {run.status for run in result.runs} == {"done"}
    labels = [(run.identity.method.label, run.identity.evaluator.name) for run in result.runs]
    fused = "both(by=concat, of=random_init + counted(scale=2.0))"
    assert labels == [("random_init", "knn"), ("random_init", "finetune"), (fused, "knn")]
    assert toy.read_text().splitlines() == ["counted 0"]
    assert fused in [row.identity.method.label for row in result.board.rows]
    alone, _, both = result.runs
    assert both.fit_key != alone.fit_key
    assert both.scores[0].value >= 0.25
    again = api.run(suite)
    assert again.runs == result.runs


def test_a_composite_has_no_network_to_train(suite):
    states = {(cell.identity.method.name, cell.identity.evaluator.name): cell.state for cell in api.plan(suite)}
    assert states["both", "finetune"] == "not applicable: its encoders offer no trainable"


def test_a_composite_with_a_method_s_name_is_refused(suite):
    suite.write_text(SUITE.replace("name: both", "name: counted"))
    with pytest.raises(UsageError, match="composite 'counted' has the name of a method"):
        api.plan(suite)


def test_a_composite_with_the_name_of_another_is_refused(suite):
    suite.write_text(SUITE.replace("backbones:", "  - {name: both, of: [counted, random_init]}\nbackbones:"))
    with pytest.raises(UsageError, match="two composites are named 'both'; give each a name of its own"):
        api.plan(suite)


def test_a_row_of_parts_has_no_encoder_to_show_or_export(suite, tmp_path):
    (run,) = [run for run in api.run(suite).runs if run.identity.method.name == "both"]
    with pytest.raises(UsageError, match="row 'both' is made of parts and has no encoder; choose a run of one"):
        restore.stored_encoder(Plugins(), Store(paths.store()), run)


def test_a_part_that_nobody_registered_is_refused(suite):
    suite.write_text(SUITE.replace("{name: counted, scale: 2.0}", "countd"))
    with pytest.raises(UsageError, match="did you mean 'counted'"):
        api.plan(suite)


def planned(path, *changes):
    """The cells of a suite."""
    plugins = Plugins()
    return plan_suite(check(load(str(path), plugins.suites, changes=changes), plugins), plugins, DataSources(plugins))


def test_a_plain_composite_has_the_key_of_its_parts_and_the_name_it_had(suite):
    alone, _, both, _ = planned(suite).cells
    (other, *_) = planned(suite, "methods=[{name: counted, scale: 2.0}]", "composites=[]").cells
    assert both.row.key == keys.row_key((alone.row.key, other.row.key), "concat")
    assert both.row.of == (alone.row, other.row)
    assert both.identity.method.options == {
        "of": [{"name": "random_init", "options": {}}, {"name": "counted", "options": {"scale": 2.0}}],
        "by": "concat",
    }
    assert [one.key for one in both.encodings] == [one.key for cell in (alone, other) for one in cell.encodings]
    written = planned(suite, "composites.0.of=[{method: random_init}, {method: {name: counted, scale: 2.0}}]")
    assert written.cells == planned(suite).cells


OWN = """
name: own
title: Own
frames: 512
methods: [random_init]
composites:
  - {name: other, of: [{method: counted, backbone: tiny, pretraining: {name: blobs, subset: 24}}]}
  - {name: crops, of: [{method: random_init, crops: 10, aggregate: max}]}
  - name: all
    of:
    - {method: random_init, crops: 10, aggregate: max}
    - {method: counted, backbone: tiny, pretraining: {name: blobs, subset: 24}, clips: 3}
    - random_init
backbones: [two_layers]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}, {name: knn, k: 5, clips: 2, crops: 3, aggregate: max}]
seeds: [0]
"""
LESS = Choice(name="blobs", options={"subset": 24})


@pytest.fixture
def own(toy, tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(OWN)
    return path


def by_name(cells):
    """The first cell of each row: its evaluator takes one clip."""
    return {cell.identity.method.name: cell for cell in reversed(cells)}


def test_parts_are_fitted_on_their_own_backbone_and_data(own):
    cells = by_name(planned(own).cells)
    (fit,) = cells["other"].row.of
    assert (fit.backbone, fit.pretraining, fit.frames) == (Choice(name="tiny"), LESS, 512)
    assert (cells["other"].identity.backbone, cells["other"].identity.pretraining) == (None, None)
    assert cells["other"].row.key == keys.row_key((fit.key,), "concat")
    first, second, third = cells["all"].row.of
    assert (second.of.key, third.key, first.of.key) == (fit.key, *[cells["random_init"].row.key] * 2)
    assert cells["all"].identity.backbone == Choice(name="two_layers")  # which two of its parts share


def test_a_row_of_parts_with_their_own_is_one_whatever_the_suite_lists(own):
    cells = planned(own, "backbones=[two_layers, small_2d]", "pretraining=[blobs, {name: blobs, subset: 12}]").cells
    rows = {
        name: len({cell.row.key for cell in cells if cell.identity.method.name == name})
        for name in ("other", "random_init", "all")
    }
    assert rows == {"other": 1, "random_init": 2, "all": 2}


def test_numbers_of_a_part_are_in_the_keys_of_its_features_and_of_the_row(own):
    one, more = [cell for cell in planned(own).cells if cell.identity.method.name == "all"]
    numbers = [
        [(encoding.encoding.clips, encoding.encoding.crops, encoding.encoding.aggregate) for encoding in cell.encodings]
        for cell in (one, more)
    ]
    ten, three, open_ = (None, 10, "max"), (3, None, "mean"), (None, None, "mean")
    assert numbers[0] == [*[ten] * 2, *[three] * 2, *[open_] * 2]
    assert numbers[1] == [*[(2, 10, "max")] * 2, *[(3, 3, "mean")] * 2, *[(2, 3, "mean")] * 2]
    rows = {
        change: by_name(planned(own, f"composites.1.of.0={change}").cells)["crops"].row.key
        for change in (
            "{method: random_init, crops: 10, aggregate: max}",
            "{method: random_init, crops: 10}",
            "{method: random_init, crops: 5, aggregate: max}",
            "{method: random_init, clips: 10, aggregate: max}",
            "{method: random_init, aggregate: max}",
            "{method: random_init, aggregate: mean}",
            "{method: random_init}",
        )
    }
    assert len(set(rows.values())) == len(rows)
    spelt = by_name(planned(own, "composites.1.of.0={method: random_init, crops: 10, aggregate: mean}").cells)["crops"]
    assert spelt.row.key == rows["{method: random_init, crops: 10}"]
    assert spelt.identity.method.label == "crops(by=concat, of=random_init, 10 crops)"


def test_options_of_a_part_have_one_spelling(own):
    plain = planned(own).cells
    spelt = "{method: {name: counted, scale: '1'}, backbone: {name: tiny}, pretraining: {name: blobs, subset: 24}}"
    assert planned(own, f"composites.0.of.0={spelt}").cells == plain
    sources = DataSources(Plugins())
    assert all(plan_cell(cell.identity, Plugins(), sources) == cell for cell in plain)


def test_parts_are_measured_as_planned_from_file_to_board(own, toy):
    result = api.run(own)
    assert {run.status for run in result.runs} == {"done"}, [run.reason for run in result.runs]
    assert toy.read_text().splitlines() == ["counted 0"]
    names = [row.label for row in result.board.rows]
    part = "counted on tiny, learnt from blobs(subset=24)"
    assert f"other: {part}" in names
    everything = f"random_init, maximum over 10 crops + {part}, 3 clips + random_init"
    assert any(name.startswith(f"all: {everything}") for name in names)
    features = {path: path.stat().st_mtime_ns for path in (paths.store() / "features").iterdir()}
    assert api.run(own).runs == result.runs
    for run in result.runs:
        (paths.store() / "runs" / f"{run.key}.json").unlink()
    again = api.run(own)
    assert [run.scores for run in again.runs] == [run.scores for run in result.runs]
    assert toy.read_text().splitlines() == ["counted 0"]
    assert {path: path.stat().st_mtime_ns for path in (paths.store() / "features").iterdir()} == features


def test_the_encoder_that_is_measured_joins_what_the_parts_gave(own):
    api.run(own)
    plan = planned(own)
    workshop = Workshop(Workplace(store=paths.store()))
    split = workshop.sources.split(Choice(name="blobs"), "test")
    cells = by_name(plan.cells)

    def encoder(name):
        row = cells[name].row
        return units._frozen(
            row, {fit.key: units.load(fit, workshop) for fit in row.fits}, cells[name].encoding_code, workshop
        )

    assert isinstance(encoder("other"), CachedEncoder)
    assert isinstance(encoder("crops"), ReducedEncoder)
    joined = encoder("all")
    assert isinstance(joined, CompositeEncoder)
    shared, other = encoder("random_init"), encoder("other")
    expected = [
        shared.features(split, Encoding(crops=10)).per_clip().amax(1),
        other.features(split, Encoding(clips=3)).per_clip().mean(1),
        shared.features(split).vectors,
    ]
    assert torch.equal(joined.features(split).vectors, torch.cat(expected, dim=1))
    for name in ("other", "crops", "all"):
        assert encoder(name).promise == cells[name].row.promise


def test_a_part_alone_can_be_all_that_its_encoder_can(own):
    changes = ("evaluators=[{name: finetune, frames: 512, lrs: [0.001]}]",)
    states = {cell.identity.method.name: cell.not_applicable for cell in planned(own, *changes).cells}
    assert states == {
        "random_init": "",
        "other": "",
        "crops": "its encoders offer no trainable",
        "all": "its encoders offer no trainable",
    }


def test_a_row_of_parts_is_computed_again_from_its_run_alone(own):
    runs = [run for run in api.run(own).runs if run.identity.method.name == "all"]
    verdicts = api.verify([run.key for run in runs])
    assert [(one.outcome, one.reason) for one in verdicts] == [("equal", "")] * 2


def test_the_coverage_of_what_a_part_learnt_from_is_kept(own, monkeypatch):
    cell = by_name(planned(own).cells)["other"]
    workshop = Workshop(Workplace(store=paths.store()))
    for fit in cell.row.fits:
        units.fit(fit, workshop)
    assert "coverage_of_parts" not in units.measure(cell, workshop).run.provenance
    monkeypatch.setattr(units, "coverage", lambda split: {"videos": len(split), "listed": 48})
    provenance = units.measure(cell, workshop).run.provenance
    assert provenance["coverage_of_parts"] == {"blobs(subset=24)": {"videos": 24, "listed": 48}}
    assert "pretraining_coverage" not in provenance


def test_data_of_a_part_that_is_not_drawn_yet_is_said(own, monkeypatch):
    monkeypatch.setattr(DataSources, "ready", lambda self, *choices: LESS not in choices)
    states = {cell.identity.method.name: cell.state for cell in api.plan(own)}
    assert states == {
        "random_init": "to do",
        "other": "data not drawn yet",
        "crops": "to do",
        "all": "data not drawn yet",
    }


def test_more_clips_than_a_view_has_are_a_failure_of_the_cell(own, monkeypatch):
    plugins = Plugins()
    tiny = plugins.backbones.load("tiny")
    inputs = tiny.inputs
    view = type(inputs.view)(frames=4, stride="uniform", size=16)
    monkeypatch.setattr(tiny, "inputs", type(inputs)(view=view))
    cell = by_name(planned(own).cells)["all"]
    workshop = Workshop(Workplace(store=paths.store()))
    for fit in cell.row.fits:
        units.fit(fit, workshop)
    with pytest.raises(UsageError, match="so that a video has one clip, got clips=3"):
        units.measure(cell, workshop)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("{method: countd, crops: 3}", "did you mean 'counted'"),
        ("{method: counted, backbone: two_layer}", "did you mean 'two_layers'"),
        ("{method: counted, pretraining: blob}", "did you mean 'blobs'"),
        ("{method: counted, pretraining: {name: blobs, subset: 0}}", "subset"),
        ("{method: {name: counted, scales: 2}}", "did you mean 'scale'"),
        (
            "{method: random_init, pretraining: blobs}",
            "composite 'other': method 'random_init' reads no pretraining, got blobs; leave 'pretraining' of the part",
        ),
    ],
)
def test_wrong_parts_are_refused_before_anything_runs(own, part, message):
    with pytest.raises(UsageError, match=message):
        api.plan(own, changes=[f"composites.0.of.0={part}"])


def test_a_layer_that_the_network_of_a_part_alone_lacks_is_refused(own):
    layers = (
        "backbones=[two_layers]",
        "evaluators=[{name: knn, layer: colours}]",
        "composites.0.of.0.backbone=tiny",
    )
    with pytest.raises(UsageError, match="layer of backbone 'tiny': 'colours'"):
        api.plan(own, changes=layers)
    planned(own, *layers, "composites.0.of.0.clips=2")  # of vectors alone: the evaluator does not apply


def test_a_composite_of_nothing_that_is_shared_is_one_row(own):
    """Even where its parts read nothing of the row at all."""
    cells = planned(own, "composites=[{name: x, of: [{method: random_init, backbone: tiny}]}]").cells
    (cell, _) = [one for one in cells if one.identity.method.name == "x"]
    assert (cell.identity.backbone, cell.identity.pretraining, cell.identity.frames) == (None, None, None)
    assert isinstance(cell.row, Composite)


def test_a_reduced_part_says_so_in_the_plan(own):
    (part,) = by_name(planned(own).cells)["crops"].row.of
    assert isinstance(part, ReducedFit)
    assert part.by == Reduction(crops=10, aggregate="max")
    assert part.key == keys.reduced_key(part.of.key, part.by)
