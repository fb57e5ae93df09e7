"""`--dry-run` of hundreds and thousands of cells whose runs are stored: seconds, and looks at files of the data."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from harness import api
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites import schema
from harness.video.write import write_video

from . import stored_runs

MOST = 1.3
"""Greatest ratio of a cell's cost among 5,000 to that among 500."""
EVALUATORS = stored_runs.RANKED
CLASSES, VIDEOS = 5, 12


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for number in range(CLASSES * VIDEOS):
            frames = random.integers(0, 255, (4, 32, 32, 3)).astype(np.uint8)
            path = folder / split / f"class{number % CLASSES}" / f"{number:03d}.avi"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_video(path, frames, fps=8)
    return folder


def suite_of(folder, data, cells):
    """25 methods on 2 networks, 5 evaluators and as many seeds as it takes."""
    methods = ", ".join(f"{{name: quadruplet, margin: {0.1 + number / 1000}}}" for number in range(25))
    path = folder / f"many-{cells}.yaml"
    path.write_text(
        f"name: many\ntitle: Many\nframes: 20000\nmethods: [{methods}]\nbackbones: [small_2d, small_3d]\n"
        f"pretraining: [video-folders]\npaths: {{video-folders: {data}}}\nevaluators: [{', '.join(EVALUATORS)}]\n"
        f"seeds: {[*range(cells // 250)]}\n"
    )
    return path


def test_a_dry_run_of_thousands_of_cells_costs_no_more_a_cell(benchmark, data, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    likes = {cell.identity.evaluator.name: cell.run for cell in stored_runs.planned_cells(20)}
    plugins, seconds, looked = Plugins(), {}, {}
    stat = os.stat
    for cells in (500, 5000):
        path = suite_of(tmp_path, data, cells)
        store = Store(tmp_path / f"store-{cells}")
        suite = check(schema.load(str(path), plugins.suites), plugins)
        with monkeypatch.context() as quick:
            quick.setattr(os, "fsync", lambda descriptor: None)
            planned = plan_suite(suite, plugins, DataSources(plugins, suite.paths)).cells
            for cell in planned:
                store.write(stored_runs.run_of(cell, likes[cell.identity.evaluator.name]))
        seen = Counter()

        def counted(file, *arguments, seen=seen, **options):
            if isinstance(file, str | Path) and Path(file).suffix == ".avi":
                seen[str(file)] += 1
            return stat(file, *arguments, **options)

        monkeypatch.setattr(os, "stat", counted)
        start = time.perf_counter()
        if cells == 5000:
            listed = benchmark.pedantic(api.plan, (path,), {"plugins": plugins, "store": store}, rounds=1)
        else:
            listed = api.plan(path, plugins=plugins, store=store)
        seconds[cells] = time.perf_counter() - start
        monkeypatch.setattr(os, "stat", stat)
        looked[cells] = max(seen.values(), default=0)
        assert [one.key for one in listed] == [one.key for one in planned]
        assert {one.state for one in listed} == {"done"}
        assert len({one.key for one in listed}) == cells
    growth = seconds[5000] / 10 / seconds[500]
    benchmark.extra_info.update(
        seconds={count: round(one, 2) for count, one in seconds.items()},
        cost_of_a_cell_beside_that_among_500=round(growth, 3),
        looks_at_one_file=looked,
    )
    assert growth <= MOST
    assert looked[5000] == looked[500]
