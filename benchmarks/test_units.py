"""A unit in processes of its own, beside the same work in this one; a plan of empty units on a cluster."""

from __future__ import annotations

import os
import statistics
import time
from dataclasses import replace

import pytest

from harness.execution import units
from harness.execution.cluster import ClusterExecutor
from harness.execution.plan import plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import Recorder, Supervisor
from harness.execution.units import Workplace, Workshop
from harness.execution.work_units import Unit, work_units
from harness.plugins.manager import Plugins
from harness.suites.schema import Suite
from harness.video.shared_frames import shared_folder

SUITE = {
    "name": "units",
    "title": "Units",
    "frames": 16,
    "methods": ["random_init"],
    "backbones": ["small_2d"],
    "pretraining": [{"name": "mocap-actions", "size": "mini"}],
    "evaluators": [{"name": "knn", "k": 5}],
    "seeds": list(range(10)),
}
LONGEST = 0.5
"""Seconds that the processes of a fit may cost."""


@pytest.fixture
def planned():
    """Plan fits that take no time, each with an evaluation."""
    plugins = Plugins(only=())
    return plugins, work_units(plan_suite(Suite.model_validate(SUITE), plugins, DataSources(plugins)).cells, plugins)


@pytest.fixture
def frames():
    """Folder of decoded videos, as an executor has one."""
    with shared_folder() as folder:
        yield folder


def test_processes_of_a_fit(benchmark, planned, frames, tmp_path):
    plugins, (first, *others) = planned
    supervisor, scores = Supervisor(), {}
    recorder = Recorder(lambda cell: None, lambda cell, run, pictures: scores.update({cell.key: run.scores}))
    apart = Workplace(store=tmp_path / "apart", frames=frames)
    supervisor.do(first, apart, recorder)  # starts the server, and reads the data
    workshop = Workshop(Workplace(store=tmp_path / "here"), plugins)
    alike = {}

    def here(unit):
        units.fit(unit.fit, workshop)
        (cell,) = unit.evaluations
        alike[cell.key] = units.measure(cell, workshop).run.scores

    here(first)
    todo = iter(others)
    times = []

    def do():
        unit = next(todo)
        start = time.perf_counter()
        here(unit)
        middle = time.perf_counter()
        supervisor.do(unit, apart, recorder)
        times.append(time.perf_counter() - middle - (middle - start))

    benchmark.pedantic(do, rounds=len(others))
    assert scores == alike
    overhead = statistics.median(times)
    benchmark.extra_info.update(seconds_of_processes=round(overhead, 3), processors=len(os.sched_getaffinity(0)))
    assert overhead <= LONGEST


@pytest.mark.parametrize("count", [1_000, 10_000])
def test_empty_units_on_a_cluster(benchmark, planned, tmp_path, count):
    """Units of fits that are stored: what is left is the scheduler's work, which grows with their number alone."""
    distributed = pytest.importorskip("distributed")
    _, (first, *_) = planned
    folder = tmp_path / "store" / "fits"
    units_of = []
    for number in range(count):
        row = replace(first.fit, key=f"{number:020d}")
        (cell,) = first.evaluations
        units_of.append(
            Unit(row=row, evaluations=(replace(cell, row=row, key=row.key),), evaluators={row.key: frozenset()})
        )
    (folder / units_of[0].key).mkdir(parents=True)
    done = []
    with (
        distributed.LocalCluster(
            n_workers=100,
            threads_per_worker=1,
            processes=False,
            dashboard_address=":0",
            memory_limit=None,  # else each takes the memory of this process for its own, and pauses
        ) as cluster,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(Supervisor, "do", lambda self, unit, *others: done.append(unit.key))
        executor = ClusterExecutor(cluster.scheduler_address, Workplace(store=tmp_path / "store"))
        benchmark.pedantic(executor.execute, args=(units_of,), kwargs={"title": "empty"}, rounds=1)
    assert sorted(done) == [unit.key for unit in units_of]
    seconds = benchmark.stats.stats.median / count
    benchmark.extra_info.update(units=count, milliseconds_a_unit=round(1000 * seconds, 2))
    assert seconds <= 0.05
