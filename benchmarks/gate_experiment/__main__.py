"""`python -m benchmarks.gate_experiment -o FOLDER`: many gates, one after the other, and their table.

Each gate is one line of a file; the same command goes on from there. Environments are built once.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import tempfile
import time
from pathlib import Path
from typing import Any

from harness.gate.checkouts import Checkout
from harness.gate.gate import both_versions, run_gate
from harness.gate.measuring import PASSES
from harness.gate.settings import gate_settings
from harness.system import progress
from harness.system.environment import provenance
from harness.system.files import write_text

from .neighbour import neighbour
from .table import COUNTED, SCENARIOS, Scenario, table
from .versions import BASE, clone_with_faults, tag

RECORDS = "gates.jsonl"
TIMED, COUNTED_TOO = "test_nearest or test_decode", " or test_kmeans or test_few_shot"
"""Benchmarks of a gate by time, and those that counters alone look at."""


def main() -> None:
    """Run the gates that are missing, scenario by scenario in turns, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.gate_experiment")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of gates.jsonl and README.md")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="stop after so many, to go on later")
    parser.add_argument("--cache", type=Path, default=Path(tempfile.gettempdir()) / "gate-experiment")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    clone_with_faults(options.cache / "clone")
    path = options.output / RECORDS
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    end = time.monotonic() + 60 * options.minutes
    todo = [
        scenario
        for number in range(max(scenario.gates for scenario in SCENARIOS))
        for scenario in SCENARIOS
        if sum(one["scenario"] == scenario.name for one in done) <= number < scenario.gates
    ]
    with progress.bar("gates", total=len(todo)) as bar:
        for scenario in todo:
            if time.monotonic() > end:
                break
            done.append(gate(scenario, options.cache))
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(done[-1], sort_keys=True) + "\n")
            bar.advance(note=f"{scenario.name}: {done[-1]['outcome']}")
    write_text(options.output / "README.md", table(done))


def gate(scenario: Scenario, cache: Path) -> dict[str, Any]:
    """Run one gate; returns its record."""
    sides: tuple[Checkout, Checkout] = both_versions(cache / "clone", BASE, tag(scenario.fault), cache)
    settings = gate_settings(sides[1].folder)
    by_counters = scenario.fault == COUNTED
    with neighbour() if scenario.loaded else contextlib.nullcontext():
        report = run_gate(
            sides,
            settings,
            cache=cache,
            keyword=TIMED + COUNTED_TOO * by_counters,
            passes=1 if by_counters else PASSES,
        )
    made = provenance({}, "cpu")
    return {
        "scenario": scenario.name,
        "outcome": report.outcome,
        "seconds": report.seconds,
        "commit": report.base.commit,
        "hardware": made["hardware"],
        "started": report.started,
        "benchmarks": {
            one.name.rpartition("::")[2]: {
                "outcome": one.outcome,
                "estimate": None if one.time is None else round(one.time.estimate, 4),
                "blocks": 0 if one.time is None else one.time.blocks,
                "grown": [pair.name for pair in one.grown],
            }
            for one in report.comparisons
        },
    }


if __name__ == "__main__":
    main()
