"""Units of a plan: what each needs and waits for."""

from __future__ import annotations

import pytest

from harness.execution.failures import Failure
from harness.execution.pending import PendingUnits
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.work_units import work_units
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite

SUITE = {
    "name": "toy",
    "title": "Toy",
    "frames": 512,
    "methods": [{"name": "counted", "start": {"fit": {"method": "random_init"}}}],
    "composites": [{"name": "both", "of": ["random_init", {"name": "counted", "scale": 0.5}]}],
    "backbones": ["small_2d"],
    "pretraining": ["blobs"],
    "evaluators": ["knn", "retrieval"],
    "seeds": [0],
}


@pytest.fixture
def units(toy):
    """Units of a suite with a chain of fits and a composite."""
    plugins = Plugins()
    suite = check(Suite.model_validate(SUITE), plugins)
    return work_units(plan_suite(suite, plugins, DataSources(plugins)).cells, plugins)


def test_fits_that_are_no_rows_are_units_without_evaluations_before_those_that_need_them(units):
    first, started, half, both = units
    assert [len(unit.evaluations) for unit in (first, started, half, both)] == [0, 2, 0, 2]
    assert [unit.fit.method.name if unit.fit else None for unit in units] == [
        *("random_init", "counted", "counted", None)
    ]
    assert started.after == (first.fit,)
    assert {fit.key for fit in both.after} == {first.key, half.key}


def test_each_names_the_plugins_that_it_needs_and_no_other(units):
    first, started, _, both = units
    assert first.plugins == {"builtin"}
    assert started.plugins == both.plugins == {"builtin", "toy"}
    assert set(started.evaluators.values()) == {frozenset({"builtin", "toy"})}
    assert [len(cells) for _, cells in started.groups()] == [2]


def test_a_failure_is_that_of_the_units_behind_it(units):
    first, started, _, both = units
    failure = Failure("oom", "too large")
    assert first.failure_after({}) is None
    assert both.failure_after({first.key: failure}) == failure
    assert started.failure_after({first.key: failure}).reason.endswith("that it starts from: too large")


def test_they_are_ready_once_those_before_them_are_done(units, tmp_path):
    first, started, half, both = units
    pending = PendingUnits(units, Store(tmp_path))
    assert pending.cells == 4
    assert [unit.key for unit in pending.ready()] == [first.key, half.key]
    pending.take(first)
    pending.finish(first, None)
    assert [unit.key for unit in pending.ready()] == [half.key, started.key]
    pending.take(half)
    pending.finish(half, Failure("failed", "no"))
    assert pending.failure_before(both) == Failure("failed", "no")
    assert [unit.key for unit in pending.ready()] == [started.key, both.key]
    for unit in pending.ready():
        assert pending.take(unit).evaluations == unit.evaluations
    assert not pending
