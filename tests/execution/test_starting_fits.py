"""Fits that start from other fits: planned, done once, shared, resumed, refused, and measured from file to board."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import safetensors.torch
import torch

from harness import api
from harness.errors import DataError, UsageError
from harness.execution import units
from harness.execution.data_faults import data_faults
from harness.execution.plan import check, plan_cell, plan_suite
from harness.execution.sources import DataSources
from harness.execution.spelling import canonical_method
from harness.execution.units import Workplace, Workshop
from harness.export.folder import export_encoder, load_encoder
from harness.leaderboard.claims import Side
from harness.plugins.manager import Plugins
from harness.store.choices import Choice
from harness.suites.schema import load
from harness.system import paths

SUITE = """
name: started
title: Started
frames: 512
methods:
- {name: counted, scale: 3.0, start: {fit: {method: {name: counted, scale: 2.0}, frames: 256}}}
- {name: counted, scale: 5.0, start: {fit: {method: {name: counted, scale: 2.0}, frames: 256}}}
backbones: [tiny]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}]
seeds: [0]
"""
LESS = Choice(name="blobs", options={"subset": 24})
OTHER = "methods.0.start.fit.pretraining={name: blobs, subset: 24}"


@pytest.fixture
def suite(toy, tmp_path):
    path = tmp_path / "started.yaml"
    path.write_text(SUITE)
    return path


def planned(path, *changes):
    """The cells of a suite."""
    plugins = Plugins()
    suite = check(load(str(path), plugins.suites, changes=changes), plugins)
    return plan_suite(suite, plugins, DataSources(plugins, suite.paths)).cells


def weights(key):
    """Tensors of the network of a stored fit."""
    return safetensors.torch.load_file(paths.store() / "fits" / key / "weights.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_fit_is_done_once_for_all_rows_that_start_from_it(suite, toy):
    result = api.run(suite)
    assert [run.status for run in result.runs] == ["done"] * 2, result.runs[0].reason
    first, second = [cell.row for cell in planned(suite)]
    assert first.after == second.after
    assert toy.read_text().splitlines() == ["counted 0"] * 3
    inner = weights(first.after.key)
    random = Plugins().backbones.build("tiny").build(seed=0)
    assert all(torch.equal(2 * tensor, inner[name]) for name, tensor in random.named_parameters())
    for row, scale in ((first, 3), (second, 5)):
        own = weights(row.key)
        assert all(torch.equal(scale * inner[name], own[name]) for name, _ in random.named_parameters())
    assert api.run(suite).runs == result.runs
    assert toy.read_text().splitlines() == ["counted 0"] * 3


def test_a_fit_that_is_a_row_too_is_one_fit(suite, toy):
    rows = planned(suite, "methods.1={name: counted, scale: 2.0}", "frames=256")
    assert rows[0].row.after == rows[1].row
    api.run(suite, changes=["methods.1={name: counted, scale: 2.0}", "frames=256"])
    assert toy.read_text().splitlines() == ["counted 0"] * 2


def test_weights_are_those_of_the_fit_alone_started_from_as_a_file(suite, tmp_path):
    own = "{{name: supervised, lr: 0.01, start: {}}}"
    fit = own.format("{fit: {method: {name: supervised, lr: 0.002}, pretraining: {name: blobs, subset: 24}}}")
    (run,) = api.run(suite, changes=[f"methods=[{fit}]"]).runs
    alone = ["methods=[{name: supervised, lr: 0.002}]", "pretraining=[{name: blobs, subset: 24}]", "data=[blobs]"]
    (inner,) = api.run(
        suite,
        changes=alone,
    ).runs
    (cell,) = planned(suite, f"methods=[{fit}]")
    assert cell.row.after.key == inner.fit_key
    file = tmp_path / "file.safetensors"
    file.write_bytes((paths.store() / "fits" / inner.fit_key / "weights.safetensors").read_bytes())
    path = own.format("{weights: file.safetensors, learnt_from: blobs, labels: true}")
    (other,) = api.run(suite, changes=[f"methods=[{path}]"]).runs
    assert run.fit_key != other.fit_key
    assert equal(weights(run.fit_key), weights(other.fit_key))
    assert not equal(weights(run.fit_key), weights(inner.fit_key))
    assert run.scores == other.scores
    (start,) = run.starts
    assert str(start) == "fit of supervised, learnt from blobs(subset=24) with labels"
    name = "fit of supervised(lr=0.002) on blobs(subset=24), 512 frames"
    loaded = run.provenance["weights"][name]
    assert loaded.pop("fit") == inner.fit_key
    assert loaded == other.provenance["weights"]["file.safetensors"]


def test_keys_are_of_what_the_inner_fit_is_of_and_of_no_place(suite, tmp_path, monkeypatch):
    def key(*changes):
        return planned(suite, *changes)[0].row.key

    plain = key()
    keys = {
        change: key(change)
        for change in (
            "methods.0.start.fit.method=counted",
            "methods.0.start.fit.frames=257",
            OTHER,
            "methods.0.start.strict=false",
            "methods.0.start.ignore=[fc.]",
            "seeds=[1]",
            "backbones=[small_2d]",
            "methods.0.start.fit.method.start={fit: {method: counted}}",
        )
    }
    assert len({plain, *keys.values()}) == len(keys) + 1
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "elsewhere"))
    assert key() == plain
    (cell, _) = planned(suite)
    assert cell.row.after.seed == cell.row.seed == 0
    assert planned(suite, "seeds=[4]")[0].row.after.seed == 4
    sources = DataSources(Plugins())
    assert plan_cell(cell.identity, Plugins(), sources) == cell


def test_what_is_equal_is_one_cell(suite):
    (cell,) = planned(suite, "methods.1={name: counted, start: {fit: {method: counted}}, scale: 3.0}", *same("counted"))
    assert cell.identity.method.label == "counted(scale=3.0, start=(fit=counted))"
    folds = ["pretraining=[blobs, {name: blobs, subset: 24}]", OTHER, "methods.1=counted"]
    labels = [
        (cell.identity.method.label, cell.identity.pretraining.label)
        for cell in planned(suite, *folds)
        if cell.identity.method.options
    ]
    assert labels == [
        ("counted(scale=3.0, start=(fit=counted(scale=2.0) on blobs(subset=24), 256 frames))", "blobs"),
        ("counted(scale=3.0, start=(fit=counted(scale=2.0), 256 frames))", "blobs(subset=24)"),
    ]


def same(method):
    """All that is as the row has it, written out."""
    fit = f"{{method: {{name: {method}, scale: '1'}}, pretraining: {{name: blobs}}, frames: 512}}"
    return (f"methods.0.start={{fit: {fit}, strict: true, ignore: []}}",)


def test_a_chain_of_fits_and_of_a_file(suite, toy, tmp_path):
    random = Plugins().backbones.build("tiny").build(seed=9)
    torch.save(random.state_dict(), tmp_path / "a.pth")
    file = "{weights: a.pth, learnt_from: kinetics400, labels: true}"
    first = f"{{method: {{name: counted, start: {file}}}, pretraining: {{name: blobs, subset: 24}}}}"
    second = f"{{method: {{name: counted, scale: 2.0, start: {{fit: {first}}}}}}}"
    changes = [f"methods=[{{name: counted, scale: 3.0, start: {{fit: {second}}}}}]"]
    (run,) = api.run(suite, changes=changes).runs
    assert run.status == "done", run.reason
    assert toy.read_text().splitlines() == ["counted 0"] * 3
    assert all(torch.equal(6 * one, weights(run.fit_key)[name]) for name, one in random.named_parameters())
    assert [str(start) for start in run.starts] == [
        "fit of counted, learnt from blobs+blobs(subset=24)+kinetics400 with labels",
        "fit of counted, learnt from blobs(subset=24)+kinetics400 with labels",
        "a.pth, learnt from kinetics400 with labels",
    ]
    assert len(run.provenance["weights"]) == 3
    assert str(tmp_path) not in json.dumps(run.identity.model_dump())
    (cell,) = planned(suite, *changes)
    assert [fit.seed for fit in cell.row.chain] == [0, 0, 0]
    moved = tmp_path / "b.pth"
    (tmp_path / "a.pth").rename(moved)
    with pytest.raises(UsageError, match=r"method 'counted': expected a file of weights at .*a.pth, where none is"):
        planned(suite, *changes)
    assert planned(suite, *changes, f"paths={{a.pth: {moved}}}")[0].row.key == cell.row.key


def test_a_kill_between_the_fits_leaves_the_first_one_done(suite, toy, monkeypatch):
    (cell, _) = planned(suite)
    workshop = Workshop(Workplace(store=paths.store()))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(units, "loaded_weights", lambda spec, _: killed() if spec.after else {})
        with pytest.raises(KeyboardInterrupt):
            units.fit(cell.row, workshop)
    assert (workshop.folder(cell.row.after.key) / "fit.json").exists()
    assert not (workshop.folder(cell.row.key) / "fit.json").exists()
    units.fit(cell.row, workshop)
    assert toy.read_text().splitlines() == ["counted 0"] * 2


def test_what_is_stored_needs_the_first_fit_no_more(suite, toy):
    (cell, _) = planned(suite)
    workshop = Workshop(Workplace(store=paths.store()))
    units.fit(cell.row, workshop)
    for file in workshop.folder(cell.row.after.key).iterdir():
        file.unlink()
    units.fit(cell.row, workshop)
    assert units.measure(cell, workshop).run.status == "done"
    assert toy.read_text().splitlines() == ["counted 0"] * 2


@pytest.mark.parametrize(
    ("method", "status", "reason"),
    [
        ("diverges", "diverged", "loss became nan at step 3"),
        ("raises", "failed", "KeyError: 'missing'"),
        ("exits", "failed", "SystemExit: 7"),
        ("runs_out_of_memory", "oom", "tried to allocate everything"),
    ],
)
def test_a_failure_of_the_first_fit_is_that_of_the_row(suite, method, status, reason):
    runs = api.run(suite, changes=[f"methods.0.start.fit.method={method}"]).runs
    assert [run.status for run in runs] == [status, "done"]
    assert runs[0].reason == f"the fit of {method} on blobs, 256 frames that it starts from: {reason}"


def test_a_failure_deep_in_a_chain_is_named_by_all(suite):
    inner = "{method: {name: counted, start: {fit: {method: diverges}}}}"
    (run, _) = api.run(suite, changes=[f"methods.0.start.fit={inner}"]).runs
    assert run.status == "diverged"
    assert run.reason.count("that it starts from: ") == 2
    assert run.reason.endswith(
        "the fit of diverges on blobs, 512 frames that it starts from: loss became nan at step 3"
    )


def test_weights_that_do_not_fit_are_a_recorded_failure(suite):
    """Such as those of a method whose encoder is another network than the backbone's."""
    (cell, _) = planned(suite)
    workshop = Workshop(Workplace(store=paths.store()))
    units.fit(cell.row.after, workshop)
    file = workshop.folder(cell.row.after.key) / "weights.safetensors"
    safetensors.torch.save_file({"elsewhere.weight": torch.ones(2)}, file)
    with pytest.raises(DataError, match=r"do not fit 'tiny': 0.0 % of"):
        units.fit(cell.row, workshop)
    parts = ["methods.0.start.fit.method=drops_out", "methods.1.start.fit.method=cannot_load"]
    drops_out, cannot_load = api.run(suite, changes=parts).runs
    assert [drops_out.status, cannot_load.status] == ["failed"] * 2
    first = "the fit of {0} on blobs, 256 frames that it starts from: method '{0}' "
    assert drops_out.reason.startswith(
        first.format("drops_out") + "loads an encoder that gives two vectors for one clip"
    )
    assert cannot_load.reason.startswith(first.format("cannot_load") + "promised ")


def test_a_method_that_saves_no_network_is_named(suite):
    (cell, _) = planned(suite)
    workshop = Workshop(Workplace(store=paths.store()))
    units.fit(cell.row.after, workshop)
    (workshop.folder(cell.row.after.key) / "weights.safetensors").unlink()
    with pytest.raises(DataError, match=r"method 'counted' saved no weights.safetensors, from which 'counted' would"):
        units.fit(cell.row, workshop)


RUN = """
import sys
from harness import api

assert [run.status for run in api.run(sys.argv[1], changes=sys.argv[2:]).runs] == ["done"]
"""


def test_two_processes_do_the_fit_that_both_need_once(suite, toy):
    fit = "start: {fit: {method: slow}}"
    processes = [
        subprocess.Popen([sys.executable, "-c", RUN, str(suite), f"methods=[{{name: counted, scale: {scale}, {fit}}}]"])
        for scale in (3, 5)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    assert sorted(toy.read_text().splitlines()) == ["counted 0", "counted 0", "slow 0"]


PART = """
composites:
- name: both
  of:
  - random_init
  - method: {name: counted, scale: 3.0, start: {fit: {method: counted}}}
    backbone: tiny
    pretraining: {name: blobs, subset: 24}
    clips: 2
"""


def test_a_part_may_start_from_a_fit(suite, toy):
    suite.write_text(SUITE + PART)
    changes = ["backbones=[small_2d]", "methods=[random_init]"]
    _, both = api.run(suite, changes=changes).runs
    assert both.status == "done", both.reason
    (_, cell) = planned(suite, *changes)
    inner = cell.row.fits[1].after
    assert (inner.backbone, inner.pretraining, inner.frames) == (Choice(name="tiny"), LESS, 512)
    assert both.identity.frames == 512
    assert cell.identity.further_data == (LESS,)
    assert toy.read_text().splitlines() == ["counted 0"] * 2
    assert [start.weights for start in both.starts] == ["fit of counted"]
    assert "counted(scale=3.0, start=(fit=counted)) on tiny, learnt from blobs(subset=24)" in both.identity.method.label
    written = (
        "composites.0.of.1.method.start.fit={method: counted, pretraining: {name: blobs, subset: 24}, frames: 512}"
    )
    assert planned(suite, *changes, written)[1] == cell


def test_rows_started_from_labels_stand_among_their_like(suite):
    result = api.run(suite, changes=["methods.0.start.fit.method=supervised"])
    labelled = {
        standing.row.method: division.labelled for division in result.board.divisions for standing in division.standings
    }
    assert labelled == {
        "counted(scale=3.0, start=(fit=supervised, 256 frames))": True,
        "counted(scale=5.0, start=(fit=counted(scale=2.0), 256 frames))": False,
    }
    assert {row.kind for row in result.board.rows} == {"labelled", "method"}


def test_such_a_run_is_computed_again_shown_and_exported(suite, tmp_path):
    (run, _) = api.run(suite).runs
    assert [(one.outcome, one.reason) for one in api.verify([run.key])] == [("equal", "")]
    export_encoder(run.key, tmp_path / "encoder")
    encoder = load_encoder(tmp_path / "encoder")
    assert encoder.promise == planned(suite)[0].row.promise
    card = (tmp_path / "encoder" / "README.md").read_text()
    assert "Its network started from fit of counted, learnt from blobs without labels." in card


def test_data_that_a_fit_to_start_from_learns_from_are_data_of_the_row(suite, monkeypatch):
    (cell, _) = planned(suite, OTHER)
    assert cell.identity.further_data == (LESS,)
    workshop = Workshop(Workplace(store=paths.store()))
    units.fit(cell.row, workshop)
    assert "coverage_of_parts" not in units.measure(cell, workshop).run.provenance
    monkeypatch.setattr(units, "coverage", lambda split: {"videos": len(split), "listed": 48})
    provenance = units.measure(cell, workshop).run.provenance
    assert provenance["coverage_of_parts"] == {LESS.label: {"videos": 24, "listed": 48}}
    counted = []
    module = "harness.execution.data_faults.shared_videos"
    monkeypatch.setattr(module, lambda first, second: counted.append(len(first)) or {"videos": 1})
    assert LESS.label in data_faults(cell.identity, workshop.sources)["shared"]
    assert 24 in counted
    monkeypatch.setattr(DataSources, "ready", lambda self, *choices: LESS not in choices)
    assert [one.state for one in api.plan(suite, changes=[OTHER])] == ["data not drawn yet", "to do"]


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("{fit: {method: countd}}", "did you mean 'counted'"),
        ("{fit: {method: {name: counted, scales: 2}}}", "did you mean 'scale'"),
        ("{fit: {method: counted, pretraining: blob}}", "did you mean 'blobs'"),
        ("{fit: {method: counted, pretraining: {name: blobs, subset: 0}}}", "subset"),
        (
            "{fit: {method: counted, pretraining: {name: blobs, fold: [1, 2]}}}",
            r"'counted': expected one fold that the fit which it starts from learns from, got \[1, 2\]",
        ),
        ("{fit: {method: counted, backbone: tiny}}", r"start.fit.backbone='tiny'"),
        (
            "{fit: {method: random_init, pretraining: blobs}}",
            "method 'random_init' reads no pretraining; leave 'pretraining' of the fit that it starts from out",
        ),
    ],
)
def test_wrong_fits_are_refused_before_anything_runs(suite, start, message):
    with pytest.raises(UsageError, match=message) as caught:
        api.plan(suite, changes=[f"methods.0.start={start}"])
    assert "\n" not in str(caught.value)


def test_a_fit_whose_encoder_is_another_network_is_refused_before_anything_runs(suite, monkeypatch):
    kind = Plugins().methods.load("cannot_load")
    promised = kind.promise
    monkeypatch.setattr(kind, "promise", lambda self, backbone: replace(promised(self, backbone), shape=(3,)))
    message = r"the network of backbone 'tiny', which gives \(16,\), got 'cannot_load', which promises \(3,\)"
    with pytest.raises(UsageError, match=message):
        api.plan(suite, changes=["methods.1.start.fit.method=cannot_load"])


def test_a_side_of_a_claim_may_name_what_the_row_shares_with_its_fit(suite):
    (cell, _) = planned(suite, "pretraining=[{name: blobs, subset: 24}]")
    fit = {"method": {"name": "counted", "scale": 2.0}, "frames": 300}

    def selected(**changes):
        method = {"name": "counted", "scale": 3.0, "start": {"fit": {**fit, **changes}}}
        side = Side.model_validate({"suite": "started", "method": method, "evaluator": {"name": "knn", "k": 5}})
        spelt = side.model_copy(update={"method": canonical_method(side.method, Plugins())})
        return spelt.selects(cell.identity, cell.identity.evaluator, cell.identity.data)

    assert selected()
    assert selected(pretraining={"name": "blobs", "subset": 24})
    assert not selected(pretraining="blobs")
    assert not selected(method="counted")
