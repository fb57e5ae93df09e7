"""Suites of the toy plugin, run as `harness run` does."""

from __future__ import annotations

import pytest

from harness.execution.executor import Executor
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import Recorder, Supervisor
from harness.execution.units import Workplace
from harness.execution.work_units import work_units
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths
from harness.system.children import Limits

TOY_SUITE = {
    "name": "toy",
    "title": "Toy",
    "frames": 512,
    "methods": ["counted"],
    "backbones": ["small_2d"],
    "pretraining": ["blobs"],
    "evaluators": [{"name": "knn", "k": 5}],
    "seeds": [0],
}


@pytest.fixture
def run(toy):
    """Run a suite of the toy plugin, changed by keywords; gives its runs, and the fits that took place."""

    def run(*, retry_failed: bool = False, jobs: int = 1, **changes: object):
        plugins = Plugins()
        suite = check(Suite.model_validate({**TOY_SUITE, **changes}), plugins)
        plan = plan_suite(suite, plugins, DataSources(plugins))
        toy.write_text("")
        executor = Executor([Workplace(store=paths.store())] * jobs)
        executor.execute(work_units(plan.cells, plugins), title="toy", retry_failed=retry_failed)
        store = Store(paths.store())
        runs = [store.get(cell.key) for cell in plan.cells]
        return [run for run in runs if run is not None], toy.read_text().splitlines()

    return run


@pytest.fixture
def do():
    """Do a unit in child processes; gives its runs with their pictures."""

    def do(unit, workplace, **limits):
        done = []
        recorder = Recorder(lambda cell: None, lambda cell, one: done.append((one.run, dict(one.pictures))))
        Supervisor(Limits(**limits)).do(unit, workplace, recorder)
        return done

    return do
