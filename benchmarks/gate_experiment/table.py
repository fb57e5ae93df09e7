"""The experiment's table, with exact intervals."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scipy.stats import binomtest

COUNTED = "one more of each"


@dataclass(frozen=True)
class Scenario:
    """A fault, or none, with or without a neighbour."""

    name: str
    fault: str
    loaded: bool = False


SCENARIOS = (
    Scenario("alike, idle", "alike"),
    Scenario("alike, loaded", "alike", loaded=True),
    Scenario("10 % slower", "10 % slower"),
    Scenario("5 % slower", "5 % slower"),
    Scenario(COUNTED, COUNTED, loaded=True),
)
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
a comment. *Slower*: one of the two paths (nearest neighbours) takes so much longer. *Loaded*: beside a neighbour on
every processor, who works and sleeps for 0.2 to 2 s in turns. A gate is built to sound falsely, by time, in 0.2 % of
cases. Intervals are Clopper and Pearson's, 95 %.

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
    lines = [HEAD, "| gates | number | failed | inconclusive | passed | failed, 95 % interval | median seconds |"]
    lines.append("| --- | --: | --: | --: | --: | --- | --: |")
    for scenario in SCENARIOS:
        mine = [one for one in records if one["scenario"] == scenario.name]
        if mine and scenario.name != COUNTED:
            counts = [
                sum(one["outcome"] == outcome for one in mine) for outcome in ("failed", "inconclusive", "passed")
            ]
            seconds = statistics.median(one["seconds"] for one in mine)
            cells = [scenario.name, len(mine), *counts, interval(counts[0], len(mine)), f"{seconds:.0f}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    counted = [one for one in records if one["scenario"] == COUNTED]
    if counted:
        lines += ["", "By counters, beside the neighbour:", "", "| fault | counter | gates | found | 95 % interval |"]
        lines.append("| --- | --- | --: | --: | --- |")
        for name, (fault, counter) in GROWN.items():
            found = sum(counter in one["benchmarks"][name]["grown"] for one in counted)
            cells = [fault, f"`{counter}`", len(counted), found, interval(found, len(counted))]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
    made = sorted({(one["hardware"], one["commit"][:12]) for one in records})
    lines += ["", *(f"Measured on {hardware}, commit {commit}." for hardware, commit in made)]
    return "\n".join(lines) + "\n" + WHY


def interval(hits: int, number: int) -> str:
    """Exact 95 % interval of a share in percent.

    >>> interval(0, 100), interval(97, 100)
    ('0.0 to 3.6 %', '91.5 to 99.4 %')
    """
    low, high = binomtest(hits, number).proportion_ci(0.95, method="exact")
    return f"{100 * low:.1f} to {100 * high:.1f} %"
