"""`harness verify`: stored runs computed again."""

from __future__ import annotations

import json

import pytest

from harness.store.runs import Store
from harness.system import paths
from harness.values import Score

SMALL = ("--set", "methods=[counted]", "--set", "seeds=[0]")


@pytest.fixture
def stored(once):
    """The runs of one row of the toy suite, by name of their evaluator."""
    result = once("run", "toy", *SMALL)
    assert result.returncode == 0, result.stderr
    return {run.identity.evaluator.name: run for run in Store(paths.store())}


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_runs_are_computed_again_from_nothing_and_compared(harness, stored, toy):
    knn = stored["knn"]
    (top1, *others) = knn.scores
    forged = knn.model_copy(update={"scores": (Score(top1.metric, top1.value - 0.1, top1.baseline), *others)})
    Store(paths.store()).write(forged)
    before = content(paths.home())
    result = harness("verify", "toy", *SMALL, "--json")
    assert result.returncode == 1
    verdicts = {verdict["cell"]["evaluator"]["name"]: verdict for verdict in json.loads(result.stdout)}
    assert {name: verdict["outcome"] for name, verdict in verdicts.items()} == {
        "knn": "different",
        "clustering": "equal",
    }
    difference = verdicts["knn"]["scores"][top1.metric]
    assert difference["computed"] == top1.value
    assert difference["stored"] == pytest.approx(top1.value - 0.1)
    assert difference["within_tolerance"] is False
    assert "1 equal, 0 within tolerance, 1 different" in result.stderr
    assert toy.read_text().splitlines().count("counted 0") == 2  # the fit too was made again
    assert content(paths.home()) == before  # nothing of it was used or changed


def test_a_key_is_enough_and_threads_can_be_compared(harness, stored):
    run = stored["knn"]
    threads = run.provenance["threads"]
    others = threads - 1 or 2  # more than there are processors would be cut to as many
    result = harness("verify", run.key[:8], "--threads", str(others), "--sample", "5")
    assert result.returncode == 0, result.stderr
    header, line = result.stdout.splitlines()
    assert header.split() == ["run", "cell", "verdict", "by"]
    assert line.startswith(run.key[:12])
    assert f"threads {threads}, now {others}" in line


def test_what_cannot_be_verified_says_so(harness, stored):
    result = harness("verify", "toy", "--set", "seeds=[7]")
    assert result.returncode == 2
    assert "suite 'toy': no run of it is stored; compute them with `harness run toy --set 'seeds=[7]'`" in result.stderr
    old = stored["knn"].model_copy(update={"key": "f" * 20})
    Store(paths.store()).write(old)
    result = harness("verify", "fff")
    assert result.returncode == 2
    assert "code or data are others than it was made with" in result.stderr
