"""Values of a gate: measurements of benchmarks on both sides, and verdicts."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from harness.errors import HarnessError, UndecidedError, unknown
from harness.gate.decision import Ratio, TimeVerdict, counter_grew
from harness.profiling.counters import COMPARED

Outcome = Literal["passed", "failed", "inconclusive"]
TIME = "time"
BOUNDS: dict[str, float] = {
    TIME: 0.02,
    "instructions": 0.01,
    "allocations": 0.02,
    "peak_bytes": 0.02,
}
"""Growth that is allowed, as a share; none for other counters.

Times: the same code in two processes differs by 0.5 % for as long as they live, because of where its memory lies.
Instructions of two calls differ by 0.3 %. Allocations depend on what else is alive.
"""
OUTCOMES: dict[TimeVerdict, Outcome] = {"slower": "failed", "not slower": "passed", "inconclusive": "inconclusive"}
GRAVITY: tuple[Outcome, ...] = ("passed", "inconclusive", "failed")
EXIT_CODES: dict[Outcome, int] = {
    "passed": 0,
    "failed": HarnessError.exit_code,
    "inconclusive": UndecidedError.exit_code,
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """Largest growth of time and counters, as shares of the base's.

    Raises:
        UsageError: when nothing of a name is measured.
    """

    changed: Mapping[str, float] = field(default_factory=dict)
    """Bounds that differ from `BOUNDS`."""

    def __post_init__(self) -> None:
        known = (*BOUNDS, *COMPARED)
        for name in self.changed:
            if name not in known:
                raise unknown("bound", name, known)

    def of(self, name: str) -> float:
        """Bound of a counter, or of `TIME`."""
        return self.changed.get(name, BOUNDS.get(name, 0.0))


@dataclass(frozen=True, slots=True)
class CounterPair:
    """A counter of a benchmark on both sides."""

    name: str
    base: int
    head: int
    bound: float
    repeatable: bool = True
    """False when two calls on one side differ; it then decides nothing."""

    @property
    def grew(self) -> bool:
        """True if the head's is larger than the bound allows."""
        return self.repeatable and counter_grew(self.base, self.head, self.bound)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One benchmark on both sides."""

    name: str
    counters: tuple[CounterPair, ...] = ()
    time: Ratio | None = None
    """None where counters decided, or a side could not be measured."""
    bound: float = BOUNDS[TIME]
    """Bound of the time."""
    seconds_base: tuple[float, ...] = ()
    """Seconds a call of each block, by the faster half of its rounds."""
    seconds_head: tuple[float, ...] = ()
    fault: str = ""
    """Reason why the head could not be measured."""
    note: str = ""
    """Remark; for a benchmark that was not compared, or scores that are alike."""
    compared: bool = True
    """False where a side lacks it, fails in the base or skips it."""

    @property
    def of_one_side(self) -> bool:
        """True if only one side has it."""
        return self.note.partition(":")[0] in ("new", "gone")

    @property
    def grown(self) -> tuple[CounterPair, ...]:
        """Counters that grew beyond their bounds."""
        return tuple(counter for counter in self.counters if counter.grew)

    @property
    def outcome(self) -> Outcome:
        """Counters decide before the time, which may be inconclusive."""
        if self.fault or self.grown:
            return "failed"
        if self.time is None:
            return "passed"
        return OUTCOMES[self.time.verdict(1 + self.bound)]

    @property
    def reason(self) -> str:
        """The verdict in words."""
        if self.fault or self.note:
            return self.fault or self.note
        if self.grown:
            return ", ".join(f"{one.name} {one.base:,} -> {one.head:,}" for one in self.grown)
        if self.time is None:
            return ""
        limit = 1 + self.bound
        verdict = self.time.verdict(limit)
        if verdict != "inconclusive":
            return "faster" if self.time.high < 1 / limit else verdict
        if not math.isfinite(self.time.high):
            return f"{self.time.blocks} blocks are too few for an interval"
        needed = self.time.blocks_needed(limit)
        return "too noisy: " + ("even 10,000 blocks would not decide" if needed is None else f"{needed} blocks needed")


@dataclass(frozen=True, slots=True)
class Version:
    """One side of a comparison."""

    reference: str
    """Name that it was asked for by."""
    commit: str
    """Hash; with `+changes` where the working tree has some."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """All benchmarks of a gate."""

    base: Version
    head: Version
    comparisons: tuple[Comparison, ...]
    made_with: Mapping[str, str]
    """Hardware and versions that both sides had."""
    started: str
    """Time in UTC, ISO 8601."""
    seconds: float
    """Duration of the measurement."""
    noise: tuple[str, ...] = ()
    """Warnings of what makes times on this machine vary."""

    @property
    def outcome(self) -> Outcome:
        """The worst of the benchmarks' outcomes.

        Where both sides have some and none was compared, nothing is decided.
        """
        if self.nothing_compared and not all(one.of_one_side for one in self.comparisons):
            return "inconclusive"
        outcomes = {comparison.outcome for comparison in self.comparisons}
        return max(outcomes, key=GRAVITY.index, default="passed")

    @property
    def nothing_compared(self) -> bool:
        """True if no benchmark was compared."""
        return not any(one.compared for one in self.comparisons)


def median(seconds: tuple[float, ...]) -> float:
    """Median of blocks in seconds; NaN without any."""
    return statistics.median(seconds) if seconds else float("nan")
