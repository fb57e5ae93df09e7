"""The experiment's table, with exact intervals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

ALIKE, SLOWER, COUNTED = "alike", "slower", "one more of each"


@dataclass(frozen=True)
class Scenario:
    """A fault, or none, with or without a neighbour, and how many gates meet it."""

    fault: str
    loaded: bool
    gates: int

    @property
    def name(self) -> str:
        """Fault and load in words."""
        return f"{self.fault}, {self.load}"

    @property
    def load(self) -> str:
        """Word for the neighbour, or none."""
        return "loaded" if self.loaded else "idle"


SCENARIOS = (
    Scenario(ALIKE, loaded=False, gates=50),
    Scenario(ALIKE, loaded=True, gates=50),
    Scenario(SLOWER, loaded=False, gates=50),
    Scenario(SLOWER, loaded=True, gates=50),
    Scenario(COUNTED, loaded=True, gates=100),
)
SLOWED = {"test_nearest": "10 % slower (nearest neighbours)", "test_decode": "5 % slower (decoding)"}
"""Benchmark that is slowed, and by how much."""
GROWN = {
    "test_decode": ("an extra decode", "frames_decoded"),
    "test_nearest": ("an extra copy", "copies"),
    "test_few_shot": ("an extra launch", "kernels"),
    "test_kmeans": ("an extra synchronisation", "synchronisations"),
}
"""Benchmark that a fault is in, and the counter that has to show it."""
HEAD = """# How often a gate is wrong

Each line is so many whole gates by `harness bench gate`, in turns with those of the other lines, of two hot paths:
nearest neighbours and decoding. Both sides are installed in environments of their own. *Alike*: versions that differ in
a comment. *Slower*: a version whose nearest neighbours take 10 % longer, and its decoding 5 %. *Loaded*: beside a
neighbour on every processor, who works and sleeps for 0.2 to 2 s in turns. *Idle*: without one; developers ran
tests on the same processors during most of these gates. By time, a path fails when the interval of its ratio
lies above 1.02; an alike version is to fail in at most 0.2 % of gates. Intervals below are Clopper and Pearson's, 95 %.

Written by `python -m benchmarks.gate_experiment -o benchmarks/gate_experiment`, which goes on from `gates.jsonl`.
"""
WHY = """
## Why another gate

- pyperf's `compare_to` tests two files that were measured one after the other; what the machine did meanwhile is in the
  difference. Here both sides take turns within hundredths of a second. Its checks of the machine are made here, too.
- asv's `continuous --interleave-rounds` takes turns between processes, by time alone, with a factor in place of an
  interval's coverage; it has no word for "too noisy", and passes.
- CodSpeed counts instructions in a simulator, which sees neither waiting nor a GPU nor AVX-512, and needs its service.
  Instructions are an option here (`--instructions`); operators, synchronisations, copies, FLOPs, frames and bytes are
  counted at full speed.
"""


def table(records: Sequence[dict[str, Any]]) -> str:
    """Write the page."""
    lines = [HEAD, "| gates by time | number | found slower | inconclusive | passed | found, 95 % interval | seconds |"]
    lines.append("| --- | --: | --: | --: | --: | --- | --: |")
    for scenario in SCENARIOS:
        mine = [one for one in records if one["scenario"] == scenario.name]
        if scenario.fault == ALIKE:
            lines += _row(scenario.name, [one["outcome"] for one in mine], mine)
        for name, title in SLOWED.items() if scenario.fault == SLOWER else ():
            lines += _row(f"{title}, {scenario.load}", [one["benchmarks"][name]["outcome"] for one in mine], mine)
    lines += ["", "By counters, beside the neighbour:", "", "| fault | counter | gates | found | 95 % interval |"]
    lines.append("| --- | --- | --: | --: | --- |")
    counted = [one for one in records if one["scenario"].startswith(COUNTED)]
    for name, (fault, counter) in GROWN.items() if counted else ():
        found = sum(counter in one["benchmarks"][name]["grown"] for one in counted)
        cells = [fault, f"`{counter}`", len(counted), found, interval(found, len(counted))]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    made = sorted({(one["hardware"], one["commit"][:12]) for one in records})
    lines += ["", *(f"Measured on {hardware}, commit {commit}." for hardware, commit in made)]
    return "\n".join(lines) + "\n" + WHY


def _row(title: str, outcomes: Sequence[str], gates: Sequence[dict[str, Any]]) -> list[str]:
    if not gates:
        return []
    counts = [outcomes.count(outcome) for outcome in ("failed", "inconclusive", "passed")]
    seconds = statistics.median(one["seconds"] for one in gates)
    cells = [title, len(gates), *counts, interval(counts[0], len(gates)), f"{seconds:.0f}"]
    return ["| " + " | ".join(map(str, cells)) + " |"]


def interval(hits: int, number: int) -> str:
    """Exact 95 % interval of a share in percent.

    >>> interval(0, 100), interval(97, 100)
    ('0.0 to 3.6 %', '91.5 to 99.4 %')
    """
    low, high = binomtest(hits, number).proportion_ci(0.95, method="exact")
    return f"{100 * low:.1f} to {100 * high:.1f} %"
