from __future__ import annotations

import subprocess

import pytest

from benchmarks.gate_experiment.table import GROWN, SCENARIOS, SLOWED, interval, table
from benchmarks.gate_experiment.versions import BASE, FAULTS, clone_with_faults, tag


def record(scenario, outcome, *, paths=None, grown=()):
    benchmarks = {name: {"grown": list(grown), "outcome": (paths or {}).get(name, outcome)} for name in GROWN}
    values = {"scenario": scenario, "outcome": outcome, "seconds": 20.0, "hardware": "A processor", "commit": "c" * 40}
    return {**values, "benchmarks": benchmarks}


def test_table_counts_every_outcome():
    alike, _, slower, _, counted = SCENARIOS
    records = [record(alike.name, outcome) for outcome in ["passed"] * 98 + ["failed", "inconclusive"]]
    records += [record(slower.name, "failed", paths={"test_decode": "inconclusive"})] * 3
    records += [record(counted.name, "failed", grown=["copies", "kernels"])] * 4
    text = table(records)
    assert f"| alike, idle | 100 | 1 | 1 | 98 | {interval(1, 100)} | 20 |" in text
    assert f"| {SLOWED['test_nearest']}, idle | 3 | 3 | 0 | 0 | {interval(3, 3)} | 20 |" in text
    assert f"| {SLOWED['test_decode']}, idle | 3 | 0 | 3 | 0 | {interval(0, 3)} | 20 |" in text
    assert f"| an extra copy | `copies` | 4 | 4 | {interval(4, 4)} |" in text
    assert f"| an extra decode | `frames_decoded` | 4 | 0 | {interval(0, 4)} |" in text


def test_each_fault_is_a_commit_on_the_same_base(tmp_path):
    try:
        clone_with_faults(tmp_path / "clone")
    except subprocess.CalledProcessError:
        pytest.skip("the sources are not a Git repository")
    for fault, changes in FAULTS.items():
        command = ["git", "-C", str(tmp_path / "clone"), "diff", "--name-only", BASE, tag(fault)]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert {*shown.split()} == {*changes}
    for changes in FAULTS.values():
        for name, text in changes.items():
            source = subprocess.run(
                ["git", "-C", str(tmp_path / "clone"), "show", f"{BASE}:{name}"],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            compile(source + text, name, "exec")
