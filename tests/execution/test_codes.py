"""Code that changes between the plan and the work: no number goes under the key of another's code."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from harness.execution.executor import Executor
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import PRELOADED
from harness.execution.units import Workplace
from harness.execution.work_units import work_units
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import paths
from harness.system.children import Child, preload

TOY = Path(__file__).parents[1] / "toy_plugin"
SUITE = {
    "name": "edited",
    "title": "Edited",
    "frames": 512,
    "methods": ["counted", "random_init"],
    "backbones": ["small_2d"],
    "pretraining": ["blobs"],
    "evaluators": [{"name": "knn", "k": 5}, "fragile"],
    "seeds": [0],
}


def plan(link):
    """Plan in a child, which alone imports the plugin as it is now."""
    plugins = Plugins()
    checked = check(Suite.model_validate(SUITE), plugins)
    link.send(work_units(plan_suite(checked, plugins, DataSources(plugins)).cells, plugins))


def planned():
    preload(PRELOADED)
    with Child(plan) as child:
        return child.only_answer()


def runs_of(units):
    Executor([Workplace(store=paths.store())]).execute(units, title="edited")
    runs = (Store(paths.store()).get(cell.key) for unit in units for cell in unit.evaluations)
    return {(run.identity.method.name, run.identity.evaluator.name): run for run in runs}


@pytest.fixture
def plugin(toy, tmp_path, monkeypatch):
    """Folder of the toy plugin's code, which may be edited."""
    shutil.copytree(TOY, tmp_path / "plugin")
    monkeypatch.syspath_prepend(tmp_path / "plugin")
    return tmp_path / "plugin" / "harness_toy"


@pytest.mark.parametrize(
    ("name", "edited", "changed"),
    [
        ("methods.py", {("counted", "knn"), ("counted", "fragile")}, "counted / small_2d / seed 0"),
        ("evaluators.py", {("counted", "fragile"), ("random_init", "fragile")}, "fragile on blobs"),
    ],
)
def test_edited_code_fails_only_its_cells_and_is_computed_under_its_own_key_by_the_next_run(
    plugin, toy, name, edited, changed
):
    before = planned()
    file = plugin / name
    file.write_text(f"{file.read_text()}\nTHIRD = 3\n")
    runs = runs_of(before)
    assert {cell for cell, run in runs.items() if run.status == "failed"} == edited
    said = f"{changed}: its code here is not as planned: "
    assert all(runs[cell].reason.startswith(said) and "--retry-failed" in runs[cell].reason for cell in edited)
    assert len(toy.read_text().splitlines()) == (0 if name == "methods.py" else 1)
    again = runs_of(planned())
    assert {run.status for run in again.values()} == {"done"}
    assert {cell for cell, run in again.items() if run.key != runs[cell].key} == edited
