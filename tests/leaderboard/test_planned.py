"""Cells find their runs: today's, else the newest of an older key."""

from __future__ import annotations

import pytest

from harness.execution.plan import Plan
from harness.leaderboard.table import Planned, with_runs
from harness.store.records import Cell
from harness.store.runs import Store
from harness.suites.schema import Suite

SUITE = Suite(
    name="tiny",
    title="Tiny",
    frames=1,
    methods=("sfa",),
    backbones=("small_3d",),
    pretraining=("mocap-actions",),
    evaluators=("knn",),
    seeds=(0,),
)


@pytest.fixture
def run(fake):
    row, column, make = fake
    return make(row("sfa", 0.4), column("knn"), 0)


def plan_of(run, **changes):
    values = {"key": run.key, "supervised": False, "protocol": {}, "fit_key": run.fit_key, **changes}
    return Plan(SUITE, (Cell(identity=run.identity, **values),))


def test_a_cell_gets_the_run_of_its_key(run, tmp_path):
    store = Store(tmp_path)
    [before] = with_runs(plan_of(run), store)
    assert before.run is None
    store.write(run)
    assert with_runs(plan_of(run), store) == (
        Planned(identity=run.identity, key=run.key, supervised=False, run=store.get(run.key)),
    )


def test_else_the_newest_run_of_the_same_cell(run, tmp_path):
    store = Store(tmp_path)
    for key, finished in (("b" * 20, "2026-01-01"), ("a" * 20, "2026-01-02"), ("c" * 20, "2025-01-01")):
        store.write(run.model_copy(update={"key": key, "provenance": {"finished": finished}}))
    [planned] = with_runs(plan_of(run, key="f" * 20), store)
    assert (planned.key, planned.run.key) == ("f" * 20, "a" * 20)


def test_a_cell_that_cannot_be_says_what_is_missing(run, tmp_path):
    store = Store(tmp_path)
    store.write(run)
    [planned] = with_runs(plan_of(run, missing=frozenset({"trainable", "feature_map"})), store)
    assert planned.run is None
    assert planned.not_applicable == "its encoders offer no feature_map and no trainable"
