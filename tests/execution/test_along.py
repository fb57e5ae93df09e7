"""Rows after shares of one fit: planned, fitted once, resumed, completed later, refused, and measured to the board."""

from __future__ import annotations

import functools
import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch
import torch

from harness import api
from harness.errors import UsageError
from harness.execution import along, units
from harness.execution.failures import Failure
from harness.execution.pending import PendingUnits, done_again
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import Recorder, Supervisor
from harness.execution.units import Workplace, Workshop
from harness.execution.work_units import work_units
from harness.export.folder import export_encoder, load_encoder
from harness.leaderboard.kept import kept_keys
from harness.plugins.manager import Plugins
from harness.store.choices import Choice, at_share
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths
from harness.system.children import Limits

SUITE = {
    "name": "along",
    "title": "Along",
    "frames": 640,
    "methods": [{"name": "supervised", "batch_size": 4, "along": [25, 50]}],
    "backbones": ["small_2d"],
    "pretraining": ["blobs"],
    "evaluators": [{"name": "knn", "k": 5}],
    "seeds": [0],
}


def planned(**changes):
    """The cells of the suite."""
    plugins = Plugins()
    suite = check(Suite.model_validate({**SUITE, **changes}), plugins)
    return plan_suite(suite, plugins, DataSources(plugins)).cells


def units_of(cells):
    return work_units(cells, Plugins())


def method(*shares, **options):
    return {"methods": [{**SUITE["methods"][0], "along": list(shares), **options}]}


def workshop():
    return Workshop(Workplace(store=paths.store()))


def folder(spec):
    return paths.store() / "fits" / spec.key


def weights(spec):
    """Tensors of the network of a stored fit."""
    return safetensors.torch.load_file(folder(spec) / "weights.safetensors")


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def trained(monkeypatch):
    """Titles of the trainings that take place in this process."""
    from harness.training import loop

    titles, train = [], loop.train

    def counted(training, *arguments, **options):
        titles.append(training.title)
        train(training, *arguments, **options)

    monkeypatch.setattr(loop, "train", counted)
    return titles


def test_a_share_is_a_row_of_its_own_and_no_part_of_the_whole_fit(toy):
    whole, quarter, half = (cell.row for cell in planned())
    (alone,) = (cell.row for cell in planned(methods=[{"name": "supervised", "batch_size": 4}]))
    assert whole == alone
    assert quarter.whole == half.whole == whole
    assert quarter.chain == (quarter, whole)
    assert len({row.key for row in (whole, quarter, half)}) == 3
    assert [row.label.partition(" / ")[0] for row in (quarter, half)] == [
        "supervised(batch_size=4) @ 25 %",
        "supervised(batch_size=4) @ 50 %",
    ]
    assert {cell.row.key for cell in planned(**method(50))} == {whole.key, half.key}
    (other,) = (cell.row for cell in planned(**method(50, lr=0.1))[1:])
    assert other.key != half.key
    assert quarter.promise == whole.promise
    assert quarter.supervised


def test_units_of_shares_wait_for_the_whole_that_keeps_them(toy):
    whole, quarter, half = units_of(planned())
    assert [unit.after for unit in (whole, quarter, half)] == [(), (whole.fit,), (whole.fit,)]
    assert whole.along == quarter.along == half.along == (quarter.fit, half.fit)
    failure = Failure("diverged", "loss became nan")
    assert quarter.failure_after({whole.key: failure}) == failure
    waiting = PendingUnits([whole, quarter, half], Store(paths.store())).all()
    assert [unit.key for unit in waiting] == [whole.key, quarter.key, half.key]


def test_one_fit_gives_all_shares_and_is_as_without_them(toy, trained):
    whole, quarter, half = (cell.row for cell in planned())
    for spec in (whole, quarter, half):
        along.fit(spec, (quarter, half), workshop())
    assert trained == ["supervised"]
    kept = weights(whole), weights(quarter), weights(half)
    place = Workshop(Workplace(store=paths.store().with_name("other")))
    units.fit(whole, place)
    assert equal(kept[0], safetensors.torch.load_file(place.folder(whole.key) / "weights.safetensors"))
    assert not equal(kept[1], kept[2])
    assert not equal(kept[2], kept[0])
    encoder = units.load(quarter, workshop())
    assert equal(dict(encoder.module.state_dict()), kept[1])


def test_a_stored_fit_that_lacks_a_share_is_done_again_beside_it(toy, trained):
    whole, quarter, half = (cell.row for cell in planned())
    along.fit(whole, (half,), workshop())
    assert not done_again(half, paths.store())
    assert done_again(quarter, paths.store())
    states = [one.state for one in _plan()]
    assert states == ["to do", "to do, with its fit again", "to do"]
    stored = {path: path.stat().st_mtime_ns for path in folder(whole).glob("*.*")}
    before = weights(half)
    along.fit(quarter, (quarter, half), workshop())
    assert trained == ["supervised"] * 2
    assert stored == {path: path.stat().st_mtime_ns for path in folder(whole).glob("*.*")}
    assert equal(before, weights(half))
    assert not (folder(whole) / "training" / "again").exists()
    assert not done_again(quarter, paths.store())


def _plan():
    path = paths.home() / "along.yaml"
    path.write_text(json.dumps(SUITE))
    return api.plan(path)


KILLED = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from harness.execution import along
from harness.training import checkpoints
checkpoints.SECONDS = 0.0
import torch
torch.set_num_threads(1)
from tests.execution.test_along import planned, workshop
keep = along._KeepingWorkshop._keep
def killed(self, share, encoder, **options):
    keep(self, share, encoder, **options)
    if share == 50:
        os.kill(os.getpid(), signal.SIGKILL)
along._KeepingWorkshop._keep = killed
whole, *shares = (cell.row for cell in planned(frames=1600, methods=[{"name": "supervised", "batch_size": 4,
    "along": [25, 50, 75]}]))
along.fit(whole, shares, workshop())
"""
"""A fit of 50 steps that is killed when it has kept its second share, in step 25."""


def test_a_killed_fit_goes_on_and_keeps_what_it_lacks(toy, monkeypatch, request):
    from harness.training import checkpoints

    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, root], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    whole, *shares = (cell.row for cell in planned(frames=1600, **method(25, 50, 75)))
    assert [folder(one).is_dir() for one in (*shares, whole)] == [True, True, False, True]
    assert not (folder(whole) / "fit.json").exists()
    stored = [(folder(one) / "weights.safetensors").stat().st_mtime_ns for one in shares[:2]]
    read = []
    monkeypatch.setattr(checkpoints.Checkpoints, "newest", _told(checkpoints.Checkpoints.newest, read))
    request.addfinalizer(functools.partial(torch.set_num_threads, torch.get_num_threads()))
    torch.set_num_threads(1)  # as where it was killed
    along.fit(whole, shares, workshop())
    assert [path.name.split("-")[1] for path in read] == ["000000020"]
    assert stored == [(folder(one) / "weights.safetensors").stat().st_mtime_ns for one in shares[:2]]
    other = Workshop(Workplace(store=paths.store().with_name("other")))
    along.fit(whole, shares, other)
    for spec in (whole, *shares):
        assert equal(weights(spec), safetensors.torch.load_file(other.folder(spec.key) / "weights.safetensors"))


def _told(method, told):
    def newest(self):
        path = method(self)
        if path is not None:
            told.append(path)
        return path

    return newest


def test_a_share_that_was_kept_is_measured_though_the_whole_fit_fails(toy):
    whole, quarter, _ = (cell.row for cell in planned())
    along.fit(whole, (quarter,), workshop())
    (folder(whole) / "fit.json").unlink()
    (unit,) = (one for one in work_units(planned(), Plugins()) if one.row == quarter)
    failure = Failure("diverged", "the loss became NaN")
    done = []
    recorder = Recorder(lambda cell: None, lambda cell, one: done.append(one.run))
    assert Supervisor(Limits()).do(unit, Workplace(store=paths.store()), recorder, failure) is None
    assert [run.status for run in done] == ["done"]
    shutil.rmtree(folder(quarter))
    assert Supervisor(Limits()).do(unit, Workplace(store=paths.store()), recorder, failure) is failure
    assert done[-1].status == "diverged"


def test_what_a_second_fit_left_when_it_was_killed_is_removed(toy):
    whole, quarter, half = (cell.row for cell in planned())
    along.fit(whole, (quarter, half), workshop())
    left = folder(whole) / "training" / "again"
    (left / "checkpoints").mkdir(parents=True)
    along.fit(quarter, (quarter, half), workshop())
    assert not left.exists()


def test_a_second_fit_that_ended_when_it_was_killed_is_done_again_for_what_lacks(toy, trained):
    whole, quarter, half = (cell.row for cell in planned())
    along.fit(whole, (quarter,), workshop())
    left = folder(whole) / "training" / "again"
    left.mkdir(parents=True)
    (left / "fit.json").write_text("{}")
    along.fit(half, (quarter, half), workshop())
    assert trained == ["supervised"] * 2
    assert not left.exists()
    assert (folder(half) / "fit.json").exists()


def test_a_suite_is_measured_from_one_fit_to_the_board(run, toy):
    runs, _ = run(**{key: SUITE[key] for key in ("frames", "methods")}, composites=[_both()])
    assert [run.status for run in runs] == ["done"] * 4, [run.reason for run in runs]
    whole, quarter, half, both = runs
    assert whole.fit_key != quarter.fit_key != half.fit_key
    assert {run.supervised for run in runs} == {True}
    assert both.provenance["threads"] == whole.provenance["threads"]
    kept = kept_keys([], [cell for cell in planned() if cell.identity == quarter.identity])
    assert kept.fits == {whole.fit_key, quarter.fit_key}
    exported = paths.home() / "exported"
    export_encoder(quarter.key, exported)
    encoder = load_encoder(exported)
    assert equal(dict(encoder.module.state_dict()), weights(planned()[1].row))
    assert "25 % of 640 frames" in (exported / "README.md").read_text()


def _both():
    return {"name": "both", "of": ["random_init", {"name": "supervised", "batch_size": 4, "@": 25}]}


def test_a_part_and_a_start_may_be_a_share(toy):
    (both,) = (cell.row for cell in planned(methods=["random_init"], composites=[_both()])[1:])
    part = both.of[1]
    assert part == planned()[1].row
    assert [unit.along for unit in units_of(planned(methods=["random_init"], composites=[_both()]))] == [
        (),
        (part,),
        (part,),
        (),
    ]
    inner = {"fit": {"method": {"name": "supervised", "batch_size": 4, "@": 25}}}
    (row,) = (cell.row for cell in planned(methods=[{"name": "supervised", "start": inner}]))
    assert row.after == part
    assert [fit.key for fit in row.chain] == [row.key, part.key, part.whole.key]
    assert [str(start) for start in row.starts] == ["fit of supervised, learnt from blobs with labels"]
    whole, half = (cell.row for cell in planned(methods=[{"name": "supervised", "start": inner, "along": [50]}]))
    assert half.whole == whole == row
    assert half.starts == whole.starts


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"methods": [{"name": "counted", "along": [10]}]}, "method 'counted' trains no network of which"),
        ({"methods": [{"name": "supervised", "@": 10}]}, r"is a row beside the whole; write along: \[10\]"),
        (
            {"composites": [{"name": "one", "of": [{"name": "supervised", "along": [10]}]}]},
            "method 'supervised': expected one encoder here, got a list 'along'; write '@': 25 for one",
        ),
        (
            {"methods": [{"name": "supervised", "start": {"fit": {"method": {"name": "supervised", "along": [9]}}}}]},
            "expected one encoder here",
        ),
    ],
)
def test_shares_where_they_are_no_rows_are_refused(toy, changes, message):
    with pytest.raises(UsageError, match=message):
        planned(**changes)


def test_what_is_equal_is_one_cell(toy):
    twice = [*method(50, 25, 25)["methods"], {"name": "supervised", "batch_size": 4}]
    assert planned(methods=twice) == planned()
    assert at_share(Choice(name="supervised", options={"batch_size": 4}), 25) == planned()[1].identity.method
