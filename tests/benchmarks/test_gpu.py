import json
from pathlib import Path

import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import cuda_tests, table
from benchmarks.gpu.cases import Case, Place, WrongAnswerError, counters, expect, figure, measure
from benchmarks.gpu.cuda_tests import files
from benchmarks.gpu.rows import ROWS, Row

CPU = Place(torch.device("cpu"), tiny=True)
EAGER = [row for row in ROWS if row.name != "fit_compiled"]  # which needs a compiler, and half a minute


def simple(run, *, check=dict):
    return Case(run=run, check=check, amount=2, unit="clips/s")


def wrong():
    expect(holds=False, what="1 is not 2")


@pytest.mark.parametrize("row", EAGER, ids=lambda row: row.name)
def test_each_row_runs_and_checks_its_answer(row):
    record = measure(row.case(CPU), CPU)
    assert record["answer"]
    assert record["figure"] > 0
    assert record["counters"]["kernels"] > 0
    json.dumps(record)


def test_a_wrong_answer_is_seen(tmp_path, monkeypatch, capsys):
    row = Row("bad", "a path", "", lambda place: simple(lambda: None, check=wrong))
    assert not command.publish(tmp_path, CPU, chosen=[row])
    assert "wrong answer: 1 is not 2" in json.loads((tmp_path / "bad.json").read_text())["failed"]
    assert "FAILED" in capsys.readouterr().out
    with pytest.raises(WrongAnswerError, match="1 is not 2"):
        measure(row.case(CPU), CPU)


def test_what_is_recorded_is_not_measured_again(tmp_path, monkeypatch):
    calls = []
    row = Row("good", "a path", "", lambda place: calls.append(0) or simple(lambda: torch.ones(3) + 1))
    assert command.publish(tmp_path, CPU, chosen=[row])
    assert command.publish(tmp_path, CPU, chosen=[row])
    assert len(calls) == 1
    monkeypatch.setattr(command, "made_with", lambda device: {"commit": "another", "libraries": {}})
    assert command.publish(tmp_path, Place(torch.device("cpu"), tiny=False), chosen=[row])
    assert len(calls) == 2


def test_counting_alone_times_nothing(tmp_path):
    row = Row("good", "a path", "", lambda place: simple(lambda: torch.ones(3) + 1, check=wrong))
    assert command.publish(tmp_path, CPU, counting=True, chosen=[row])
    record = json.loads((tmp_path / "good.json").read_text())
    assert record["counters"]["kernels"] == 2
    assert "seconds" not in record


def test_without_a_gpu_it_says_what_to_do(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SystemExit) as end:
        command.main(["-o", str(tmp_path)])
    assert end.value.code == 2
    assert "--counters" in capsys.readouterr().err


def test_the_command(tmp_path, capsys):
    assert command.main(["-o", str(tmp_path), "--device", "cpu", "--tiny", "-k", "tv_l1"]) == 0
    text = (tmp_path / "README.md").read_text()
    assert "TV-L1" in text
    assert "## Counters" in text
    made = json.loads((tmp_path / "tv_l1.json").read_text())["made_with"]
    assert made["hardware"]
    assert bool(made["commit"]) == (Path(__file__).parents[2] / ".git").exists()


def test_figures_of_rates_and_times():
    assert figure(0.5, simple(None)) == 4.0
    assert figure(0.5, Case(None, None, 10, "ms")) == 50.0
    assert figure(0.5, Case(None, None, 1, "s")) == 0.5


def test_counters_that_cannot_be_read_are_named():
    def fails():
        raise RuntimeError("no rights\nto count")

    assert counters(simple(fails), CPU) == {"missing": "no rights"}


def test_a_table_of_what_there_is():
    assert "k-means" not in table.speed(ROWS, {})
    failed = table.speed(ROWS, {"k_means": {"failed": "wrong answer: no"}})
    assert "**wrong answer: no**" in failed


def test_the_tests_of_a_gpu_are_found():
    assert {"test_supervision.py", "test_cuda_counters.py"} <= {path.name for path in files()}


def test_of_their_files_only_they_are_run(monkeypatch):
    commands = []
    monkeypatch.setattr(cuda_tests.subprocess, "run", lambda command, **_: commands.append(command))
    assert not cuda_tests.run_cuda_tests()["passed"]
    assert commands[0][commands[0].index("pytest") :][2:4] == ["-m", "gpu"]
