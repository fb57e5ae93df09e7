"""Processes of units: whatever one of them does, the others' results are as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from harness.execution import work
from harness.execution.executor import Executor
from harness.execution.plan import check, plan_suite
from harness.execution.sources import DataSources
from harness.execution.supervision import PRELOADED, Supervisor
from harness.execution.units import Workplace
from harness.execution.work_units import Unit, work_units
from harness.plugins.manager import Plugins
from harness.store.runs import Store
from harness.suites.schema import Suite
from harness.system import global_state, paths
from harness.system.children import Child, Limits, preload

evaluate = work.evaluate  # which a test replaces


def plan(link, suite):
    """Plan in a child, so that the hostile plugin is imported there alone; what it prints is lost."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    state = global_state.current()
    plugins = Plugins()
    global_state.restore(state)
    checked = check(Suite.model_validate(suite), plugins)
    link.send(work_units(plan_suite(checked, plugins, DataSources(plugins)).cells, plugins))


@pytest.fixture
def units(hostile):
    """Plan a suite of the hostile plugin's in a process of its own."""

    def units(**changes) -> tuple[Unit, ...]:
        suite = {
            "name": "hostile",
            "title": "Hostile",
            "frames": 512,
            "methods": ["random_init"],
            "backbones": ["small_2d"],
            "pretraining": ["blobs"],
            "evaluators": [{"name": "knn", "k": 5}],
            "seeds": [0],
        }
        preload(PRELOADED)
        with Child(plan, {**suite, **changes}) as child:
            return child.only_answer()

    return units


@pytest.fixture
def execute(units):
    """Execute a suite of the hostile plugin's; gives its runs by method and evaluator."""

    def execute(*, jobs=1, limits=None, device="cpu", **changes):
        planned = units(**changes)
        Executor([Workplace(store=paths.store(), device=device)] * jobs, limits=limits).execute(
            planned, title="hostile"
        )
        runs = [Store(paths.store()).get(cell.key) for unit in planned for cell in unit.evaluations]
        return {(run.identity.method.name, run.identity.evaluator.name): run for run in runs}

    return execute


def test_an_evaluator_that_changes_the_encoder_fails_and_the_next_gets_the_stored_one(execute, tmp_path, monkeypatch):
    knn = {"name": "knn", "k": 5}
    changed = execute(evaluators=["changes_the_encoder", knn])
    failed = changed["random_init", "changes_the_encoder"]
    assert failed.status == "failed"
    assert failed.reason == "evaluator 'changes_the_encoder' changed the encoder it was given"
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "alone"))
    alone = execute(evaluators=[knn])
    assert changed["random_init", "knn"].scores == alone["random_init", "knn"].scores
    assert changed["random_init", "knn"].predictions == alone["random_init", "knn"].predictions


def test_a_fit_that_ends_its_process_is_recorded_and_the_rows_behind_it_go_on(execute, capfd):
    methods = ["aborts", "ends_itself", "is_interrupted", "says_half_letters", "random_init"]
    runs = execute(methods=methods)
    status = {method: runs[method, "knn"].status for method in methods}
    assert status == {**dict.fromkeys(methods, "failed"), "random_init": "done"}
    assert "ended by signal 6, SIGABRT" in runs["aborts", "knn"].reason
    assert "ended with exit code 3" in runs["ends_itself", "knn"].reason
    assert runs["is_interrupted", "knn"].reason == "KeyboardInterrupt: KeyboardInterrupt"
    assert runs["says_half_letters", "knn"].reason == r"RuntimeError: caf\xe9 \x1b[31mred\x07"
    assert runs["aborts", "knn"].provenance["libraries"]["torch"]
    assert runs["aborts", "knn"].provenance["plugins"]["harness-hostile"] == "1.0"
    out, err = capfd.readouterr()
    assert out == ""
    assert "hostile is imported" in err
    assert "hostile writes" in err
    assert "\x1b" not in err
    assert "\x07" not in err


def test_an_evaluation_that_ends_its_process_is_one_cell(execute):
    runs = execute(evaluators=["forks", {"name": "knn", "k": 5}, "aborts_too", "says_nothing", "is_told_state"])
    assert [run.status for run in runs.values()] == ["done", "done", "failed", "failed", "done"]
    assert "ended by signal 6, SIGABRT" in runs["random_init", "aborts_too"].reason
    assert runs["random_init", "says_nothing"].reason == "NamelessError: NamelessError"


def test_what_cannot_be_stored_fails_its_cell_in_one_line(execute):
    reasons = {
        "gives_numpy": "gave notes with 'strength', which is no JSON value (Object of type float32",
        "gives_a_tensor": "gave value = 1.0, which is no JSON value (Object of type Tensor",
        "gives_nan": "gave predictions with values of 'value', which is not finite",
        "gives_half_letters": "gave notes with 'name', a text that is no Unicode",
        "has_no_primary": "gave no 'value', its primary metric; it gave other",
        "gives_a_word": "gave str; expected an Evaluation",
        "gives_two": "gave two scores of one metric; it gave value, value",
    }
    runs = execute(evaluators=[*reasons, "is_told_state"])
    assert runs["random_init", "is_told_state"].status == "done"
    for name, reason in reasons.items():
        run = runs["random_init", name]
        assert run.status == "failed"
        assert run.reason.startswith(f"evaluator {name!r} {reason}")
        assert "\n" not in run.reason


def test_state_that_a_plugin_sets_reaches_no_result(execute, tmp_path):
    runs = execute(methods=["random_init", "changes_everything"], evaluators=["is_told_state", "is_told_state_again"])
    states = [run.notes for run in runs.values()]
    assert states == [states[0]] * 4
    assert states[0] == {
        "dtype": "torch.float32",
        "threads": 1,
        "deterministic": False,
        "precision": "highest",
        "random": states[0]["random"],
        "environment": "",
        "folder": str(Path.cwd()),
        "relu": "relu",
    }


def test_a_plugin_is_loaded_only_where_a_cell_needs_it(execute, capfd):
    execute(methods=["random_init"], evaluators=[{"name": "knn", "k": 5}])
    assert "hostile is imported" not in capfd.readouterr().err


def test_a_limit_of_time_ends_what_hangs(execute):
    hung, sound = execute(methods=["hangs", "random_init"], limits=Limits(hours=5 / 3600), jobs=2).values()
    assert (hung.status, hung.reason) == ("failed", "ended after 0.00138889 hours, its limit")
    assert sound.status == "done"


def test_memory_that_runs_out_is_told(execute):
    runs = execute(methods=["swells"], limits=Limits(memory_gb=1.5))
    assert runs["swells", "knn"].status == "oom"
    assert "GiB of resident memory; its limit is 1.5" in runs["swells", "knn"].reason


def one_at_most(link, cells, plugins, workplace):
    evaluate(link, cells[:1], plugins, workplace)


def test_what_a_child_leaves_is_done_by_another(execute, monkeypatch):
    monkeypatch.setattr(work, "evaluate", one_at_most)
    runs = execute(evaluators=["is_told_state", "is_told_state_again", {"name": "knn", "k": 5}])
    assert [run.status for run in runs.values()] == ["done"] * 3


@pytest.mark.gpu
def test_a_kernel_that_fails_is_a_failure_of_its_cell_alone(execute):
    runs = execute(device="cuda", evaluators=["breaks_the_gpu", {"name": "knn", "k": 5}, "linear_probe"])
    assert [run.status for run in runs.values()] == ["failed", "done", "done"]
    assert "CUDA error: device-side assert triggered" in runs["random_init", "breaks_the_gpu"].reason


@pytest.mark.gpu
def test_a_full_gpu_is_its_fits_lack_of_memory_alone(execute):
    runs = execute(device="cuda", methods=["fills_the_gpu", "random_init"])
    assert [run.status for run in runs.values()] == ["oom", "done"]
    assert "CUDA out of memory" in runs["fills_the_gpu", "knn"].reason


@pytest.mark.gpu
def test_the_gpu_gives_about_what_the_cpu_does(execute, tmp_path, monkeypatch):
    scores = {}
    for device in ("cpu", "cuda"):
        monkeypatch.setenv("HARNESS_HOME", str(tmp_path / device))
        (scores[device],) = (run.scores[0].value for run in execute(device=device).values())
    assert scores["cuda"] == pytest.approx(scores["cpu"], abs=0.1)
    assert not torch.cuda.is_initialized()  # a child that is forked after it could not use it


UNTOUCHED = """
import sys, torch
touched = []
torch.cuda._is_compiled = lambda: True
torch.cuda._device_count_nvml = lambda: 1
torch._C._cuda_getDeviceCount = lambda: touched.append(1) or 1
import harness.execution.preloaded
assert torch.cuda.is_available()
sys.exit(len(touched))
"""
"""PyTorch with a GPU, whose runtime does not survive a fork once it counted devices."""


def test_what_children_are_forked_from_touches_no_gpu():
    assert subprocess.run([sys.executable, "-c", UNTOUCHED], check=False).returncode == 0


def test_the_end_of_a_fit_says_where_its_curves_lie(execute, capsys, monkeypatch):
    def with_curves(self, *work):
        (paths.store() / "fits" / work[1].key / "training" / "tensorboard").mkdir(parents=True)
        return call(self, *work)

    call = Supervisor._call
    monkeypatch.setattr(Supervisor, "_call", with_curves)
    execute()
    (fit,) = (paths.store() / "fits").iterdir()
    log = f"tensorboard --logdir {fit}/training/tensorboard"
    assert capsys.readouterr().err.count(log) == 1
