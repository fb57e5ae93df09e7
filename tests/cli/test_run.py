"""`harness run`, `show` and `leaderboard`: the main job, interrupted, doubled and misused."""

from __future__ import annotations

import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from harness.errors import HarnessError
from harness.system import paths

BOARD = {
    *("README.md", "index.html", "results.json", "table.csv"),
    *("plot.png", "plot-1-knn.png", "plot-2-clustering.png"),
    *("picture-1.png", "picture-2-clustering-top-clusters.png"),
}
ONE_EVALUATOR = ("--set", "evaluators=[knn]")
"""Boards of one plot are quicker to draw."""


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def scores(document):
    cells = json.loads(document)
    return [[cell["interval"] for cell in row["cells"]] for row in cells]


def test_the_main_job(harness, toy):
    dry = harness("run", "toy", "--dry-run", "--json")
    planned = json.loads(dry.stdout)
    assert len(planned) == 8
    assert {row["state"] for row in planned} == {"to do"}
    assert not paths.store().exists()

    first = harness("run", "toy")
    assert first.returncode == 0, first.stderr
    assert first.stdout.startswith("| rank | method |")
    board = harness.folder / "leaderboards" / "toy"
    written = content(board)
    assert set(written) == BOARD
    assert b"| A guess of five | 12.25 |" in written["README.md"]
    assert b"A guess of twenty" not in written["README.md"]

    second = harness("run", "toy")
    assert second.stdout == first.stdout
    assert content(board) == written
    assert sorted(toy.read_text().splitlines()) == ["counted 0", "counted 1"]

    key = planned[0]["key"]
    shown = harness("show", key[:7])
    assert f"run {key}" in shown.stdout
    assert "harness-toy: 1.0" in shown.stdout
    assert json.loads(harness("show", key, "--json").stdout)["key"] == key
    stored = json.loads(harness("show", key, "--json").stdout)["pictures"]
    harness("show", key, "--pictures", "drawn")
    assert sorted(path.name for path in harness.folder.glob("drawn/*")) == sorted(f"{name}.png" for name in stored)
    assert {row["state"] for row in json.loads(harness("run", "toy", "--dry-run", "--json").stdout)} == {"done"}

    shutil.rmtree(board)
    assert harness("leaderboard", "toy").stdout == first.stdout
    assert content(board) == written
    assert harness("leaderboard", str(board), "--check").returncode == 0
    (board / "table.csv").write_text("edited by hand")
    checked = harness("leaderboard", str(board), "--check")
    assert checked.returncode == 1
    assert "table.csv is not what" in checked.stderr
    assert harness("leaderboard", str(board)).returncode == 0
    assert content(board) == written


def test_failures_are_on_the_board_and_exit_1(harness):
    done = harness("run", "toy", "--set", "methods=[diverges,exits,counted]", "--set", "seeds=[0]")
    assert done.returncode == 1
    board = (harness.folder / "leaderboards" / "toy" / "README.md").read_text()
    assert "loss became nan at step 3" in board
    assert "SystemExit: 7" in board
    assert "Traceback" not in done.stderr


def test_changed_code_makes_numbers_stale(harness_process, toy, tmp_path, monkeypatch):
    copy = tmp_path / "copy"
    shutil.copytree(os.environ["PYTHONPATH"].split(os.pathsep)[0], copy)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(copy), os.environ.get("PYTHONPATH", "")]))
    harness = harness_process
    arguments = ["toy", "--set", "seeds=[0]", "--set", "methods=[counted]", *ONE_EVALUATOR]
    assert harness("run", *arguments).returncode == 0
    with (copy / "harness_toy" / "methods.py").open("a") as source:
        source.write("CHANGED = True\n")
    assert harness("leaderboard", *arguments).returncode == 0
    board = (harness.folder / "leaderboards" / "toy" / "README.md").read_text()
    assert "stale" in board
    assert "harness run toy --set" in board
    assert harness("run", *arguments).returncode == 0
    assert toy.read_text().splitlines() == ["counted 0", "counted 0"]
    assert "stale" not in (harness.folder / "leaderboards" / "toy" / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["run", "tpy"], 2, "unknown suite 'tpy'; did you mean 'toy'?"),
        (["run", "toy", "--set", "methods=[conted]"], 2, "did you mean 'counted'"),
        (["run", "toy", "--set", "evaluators=[os.system]"], 2, "unknown evaluator 'os.system'"),
        (["run", "toy", "--set", "methods=[{name: counted, scael: 1}]"], 2, "did you mean 'scale'"),
        (["run", "toy", "--set", "requires=[harness-nobody-has]"], 3, "pip install harness-nobody-has"),
        (["run", "missing.yaml"], 2, "missing.yaml does not exist"),
        (["run", "toy", "--device", "cuda:99"], 2, "device cuda:99"),
        (["run", "toy", "--devise", "cpu"], 2, "--devise"),
        (
            ["run", "toy", "--dry-run", "--set", "evaluators=[{name: knn, label: mood}]"],
            2,
            "unknown label of evaluator",
        ),
        (["run", "toy", "--device", "gpu", "--dry-run"], 2, "device gpu: expected cpu, cuda, cuda:N or auto"),
        (["run", "toy", "--dry-run", "--download"], 2, "--dry-run fetches nothing, so that it goes with no --download"),
        (["run", "toy", "--device", "cuda:01"], 2, "device cuda:01: expected cpu, cuda, cuda:N or auto"),
        (
            [
                "run",
                "toy",
                "--set",
                "methods=[{name: pretrained, weights: ~nobody-has-this-name/x, learnt_from: ucf101, labels: true}]",
            ],
            2,
            "~nobody-has-this-name/x: begins with a home folder of nobody",
        ),
        (["run", "toy", "--set", "seeds=[-1]"], 2, "seeds.0: Input should be greater than or equal to 0, got -1"),
        (["run", "toy", "--set", "seeds=[0"], 2, "--set seeds=[0: not plain YAML data"),
        (["run", "toy", "--device", "gpu", "--dask", "tcp://127.0.0.1:1"], 2, "device gpu: expected cpu, cuda"),
        (["show", "ffff"], 2, "no run starts with it"),
        (["show", "ffff"], 2, "`harness run SUITE --dry-run --json` lists the keys of a suite"),
        (["leaderboard", "."], 4, "results.json does not exist"),
        (["list", "metods"], 2, "metods"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_runs(harness, toy, monkeypatch, arguments, code, message):
    monkeypatch.setenv("COLUMNS", "200")
    done = harness(*arguments)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert toy.read_text() == ""
    assert list(harness.folder.iterdir()) == []


def test_a_dry_run_writes_nothing_and_asks_for_no_place(harness, toy, monkeypatch):
    monkeypatch.setattr("harness.cli.destination.os.access", lambda *_: False)
    assert harness("run", "toy", "--dry-run").returncode == 0
    assert "may not be written to" in harness("run", "toy").stderr


def test_cells_that_have_no_run_in_the_end_are_named_and_exit_1(harness, toy, monkeypatch):
    monkeypatch.setattr("harness.execution.executor.Executor.execute", lambda *_, **__: None)
    done = harness("run", "toy")
    assert done.returncode == 1
    assert f"8 of 8 cells have no run in {paths.store()} in the end; run again" in done.stderr


@pytest.mark.parametrize("device", ["cuda", "cuda:99", "auto"])
def test_a_device_of_other_machines_is_not_looked_for_here(harness, monkeypatch, device):
    asked = []

    def run(suite, **options):
        asked.append(options["device"])
        raise HarnessError("computed elsewhere")

    monkeypatch.setattr("harness.api.run", run)
    done = harness("run", "toy", "--dask", "tcp://scheduler:8786", "--device", device)
    assert "computed elsewhere" in done.stderr
    assert asked == [device]


def test_kill_9_and_the_same_command_again(harness, toy):
    """The results are those of a run that was never interrupted, and no finished fit is repeated."""
    arguments = ["run", "toy", "--set", "methods=[slow]", "--set", "seeds=[0,1,2]", *ONE_EVALUATOR, "--json"]
    command = [sys.executable, "-m", "harness", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": harness.folder}
    for fits in (2, 3):
        with subprocess.Popen(command, **quiet) as process:
            while len(toy.read_text().splitlines()) < fits and process.poll() is None:
                time.sleep(0.02)
            time.sleep(0.3)  # in the middle of the fit
            process.kill()
        assert process.returncode == -signal.SIGKILL
    finished = len(list((paths.store() / "fits").glob("*/fit.json")))
    begun = len(toy.read_text().splitlines())
    after = harness(*arguments)
    assert after.returncode == 0, after.stderr
    assert len(toy.read_text().splitlines()) == begun + 3 - finished

    shutil.rmtree(paths.store())
    assert scores(harness(*arguments).stdout) == scores(after.stdout)


def test_two_at_once_share_the_work(harness, toy):
    arguments = ["run", "toy", "--set", "methods=[slow]", "--set", "seeds=[0,1,2,3]", *ONE_EVALUATOR]
    command = [sys.executable, "-m", "harness", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": harness.folder}
    both = [subprocess.Popen(command, **pipes) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert sorted(toy.read_text().splitlines()) == [f"slow {seed}" for seed in range(4)]


def test_a_hangup_that_nohup_ignores_is_ignored(harness, toy):
    command = [sys.executable, "-m", "harness", "run", "toy", "--set", "methods=[slow]", *ONE_EVALUATOR]
    ignoring = functools.partial(signal.signal, signal.SIGHUP, signal.SIG_IGN)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=harness.folder, preexec_fn=ignoring) as process:
        while not toy.read_text() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=120) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_signals_stop_cleanly(harness, toy, number, code):
    command = [sys.executable, "-m", "harness", "run", "toy", "--set", "methods=[slow]"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "cwd": harness.folder}
    heard = functools.partial(signal.signal, number, signal.SIG_DFL)  # also where these tests run under nohup
    with subprocess.Popen(command, **pipes, preexec_fn=heard) as process:
        while not toy.read_text() and process.poll() is None:
            time.sleep(0.02)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=60)  # several seconds where processors are busy
    assert process.returncode == code
    assert "the same command goes on from here" in stderr
    assert "Traceback" not in stderr
