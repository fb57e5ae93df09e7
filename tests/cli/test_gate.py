"""`harness bench gate`: two versions of a repository here."""

from __future__ import annotations

import inspect
import json
import os

import pytest

from harness.cli import gate as command
from harness.gate import gate, measuring
from tests.gate.conftest import BENCHMARK, WORK, Repository, interpreter

SUITE = """
name: small
title: Small
frames: 512
methods: [random_init]
backbones: [small_2d]
pretraining: [blobs]
evaluators: [{name: knn, k: 5}]
seeds: [0]
"""
WIDE = ("--bound", "time=0.25")


@pytest.fixture
def repository(folder, tmp_path, monkeypatch):
    """Repository in the folder of the command line; sources stand for environments in which they are installed."""
    if os.name == "nt":
        pytest.skip("a shell script stands for an interpreter")

    def environment(checkout, install, cache):
        made = tmp_path / "environments" / checkout.folder.name
        return made / "python" if made.is_dir() else interpreter(made, checkout.folder, bare=True)

    monkeypatch.setattr(gate, "environment", environment)
    for name, value in (("BLOCK", 0.05), ("FIRST_LOOK", 1), ("BLOCKS", 16)):
        monkeypatch.setattr(measuring, name, value)
    made = Repository(folder)
    made.commit(toy=WORK, benchmarks__test_toy=BENCHMARK)
    return made


def test_a_working_tree_that_is_alike_passes(harness, repository):
    result = harness("bench", "gate", "--base", "main", "-o", "reports", *WIDE)
    assert result.returncode == 0, result.stderr
    header, line = result.stdout.splitlines()
    assert header.split()[:4] == ["benchmark", "outcome", "base", "head"]
    assert line.split()[:2] == ["benchmarks/test_toy.py::test_work", "passed"]
    assert "working tree against main: passed (1 passed)" in result.stderr
    assert (repository.folder / "reports" / "index.html").is_file()


def test_a_slower_working_tree_fails_and_json_says_by_how_much(harness, repository):
    repository.write(toy=WORK.replace("total += number", "total += number\n        number * number * number"))
    result = harness("bench", "gate", "--base", "HEAD", "--json", "--bound", "time=0.1")
    assert result.returncode == 1, result.stderr
    document = json.loads(result.stdout)
    assert document["outcome"] == "failed"
    assert document["comparisons"][0]["time"]["low"] > 1.1
    assert document["head"]["commit"].startswith(document["base"]["commit"] + "+")


def test_too_few_blocks_are_inconclusive(harness, repository, monkeypatch):
    monkeypatch.setattr(measuring, "BLOCKS", 2)
    result = harness("bench", "gate", "--base", "main", "--passes", "1")
    assert result.returncode == 5, result.stderr
    assert "2 blocks are too few for an interval" in result.stdout


def test_the_command_takes_as_many_passes_as_a_call():
    assert inspect.signature(command.gate).parameters["passes"].default == measuring.PASSES


def test_a_file_may_be_chosen_and_has_its_fixtures(harness, repository):
    fixture = "import pytest\n\n@pytest.fixture(autouse=True)\ndef rounds():\n    return 1\n"
    asks = BENCHMARK.replace("(benchmark)", "(benchmark, rounds)")
    other = "def test_other(benchmark):\n    benchmark(int)\n"
    repository.commit(toy=WORK, benchmarks__test_other=other, benchmarks__conftest=fixture, benchmarks__test_toy=asks)
    result = harness("bench", "gate", "benchmarks/test_toy.py", "--base", "HEAD", *WIDE)
    assert result.returncode == 0, result.stderr
    assert "test_other" not in result.stdout


def test_a_file_of_the_head_alone_may_be_chosen(harness, repository):
    repository.git("checkout", "--quiet", "-b", "feature")
    repository.commit(benchmarks__test_new=BENCHMARK)
    repository.git("checkout", "--quiet", "main")
    arguments = ("benchmarks/test_new.py", "--base", "main", "--head", "feature", "-o", "reports")
    result = harness("bench", "gate", *arguments, *WIDE)
    assert result.returncode == 0, result.stderr
    assert "benchmarks/test_new.py::test_work" in result.stdout


def test_reports_and_the_home_are_no_changes_of_the_working_tree(harness, repository, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", "home")
    for _ in range(2):
        result = harness("bench", "gate", "--base", "main", "-k", "nothing", "-o", "reports")
        (repository.folder / "reports").mkdir(exist_ok=True)
        (repository.folder / "reports" / "gate.json").write_text("{}")
        assert "no benchmark found" in result.stderr
    (sources,) = (repository.folder / "home" / "gate").glob("sources-*.done")
    assert "+" not in sources.name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "--base REF is missing"),
        (("--base", "nothing"), "'nothing' names no commit"),
        (("--base", "main", "--bound", "time"), "--bound time: expected NAME=SHARE"),
        (("--base", "main", "--bound", "time=-1"), "--bound time=-1: expected NAME=SHARE"),
        (("--base", "main", "--bound", "tme=0.1"), "unknown bound 'tme'; did you mean 'time'?"),
        (("--base", "main", "absent"), "unknown benchmarks 'absent'"),
        (("--base", "main", "--scores", "toy", "benchmarks"), "--scores stands in place of benchmarks"),
        (("--base", "main", "--scores", "toy", "--passes", "2"), "--scores stands in place of benchmarks"),
        (("--base", "main", "--scores", "toy", "--bound", "time=1"), "--scores stands in place of benchmarks"),
    ],
)
def test_wrong_use_gets_one_line(harness, repository, arguments, message):
    result = harness("bench", "gate", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert not result.stdout


def test_outside_of_a_repository(harness):
    result = harness("bench", "gate", "--base", "main")
    assert result.returncode == 2
    assert "not a git repository" in result.stderr


def test_scores_of_a_suite_are_compared(harness, repository, monkeypatch, tmp_path):
    python = interpreter(tmp_path / "environment", os.environ["PYTHONPATH"])  # with the data set of the suite
    monkeypatch.setattr(gate, "environment", lambda *arguments: python)
    monkeypatch.setenv("HARNESS_HOME", "home")  # relative to where the command runs, not to where its sides do
    (repository.folder / "small.yaml").write_text(SUITE)
    result = harness("bench", "gate", "--base", "main", "--scores", "small.yaml")
    assert result.returncode == 0, result.stderr
    assert [line.split()[-1] for line in result.stdout.splitlines()[1:]] == ["equal"]
