"""Measure benchmarks on both sides, in turns of random order."""

from __future__ import annotations

import contextlib
import math
import os
import random
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.gate.comparison import TIME, Bounds, Comparison, CounterPair
from harness.gate.decision import Ratio, ratio
from harness.gate.side import BASE, HEAD, Selection, Side, running
from harness.system import progress

ERROR = 0.002
"""Chance that a gate of two equal versions fails by time.

All its benchmarks, and all looks at them, share it.
"""
BLOCKS = 5
"""Blocks of a benchmark in a pass."""
PASSES = 8
"""Passes at most; each starts both sides anew."""
FIRST_LOOK = 3
"""Passes after which times are looked at for the first time."""
BLOCK = 0.4
"""Seconds that the rounds of a block take together, where so few are enough."""
ROUND = 0.005
"""Shortest round in seconds; shorter ones would be lost in the clock's."""
FEWEST_ROUNDS, MOST_ROUNDS = 3, 24


@dataclass(slots=True)
class _Measured:
    """Measurements of a benchmark so far."""

    name: str
    fault: str = ""
    note: str = ""
    counters: list[CounterPair] = field(default_factory=list)
    time: Ratio | None = None
    logarithms: list[float] = field(default_factory=list)
    base: list[float] = field(default_factory=list)
    head: list[float] = field(default_factory=list)
    calls: int = 0
    """Calls of a round."""
    rounds: int = 0
    """Rounds of a block."""
    decided: bool = False
    """True once its time has decided."""

    @property
    def undecided(self) -> bool:
        """True if another block may change the outcome."""
        return not (self.decided or self.fault or self.note or any(counter.grew for counter in self.counters))

    def comparison(self, bounds: Bounds) -> Comparison:
        """Sum up."""
        return Comparison(
            name=self.name,
            counters=tuple(self.counters),
            time=self.time,
            bound=bounds.of(TIME),
            seconds_base=tuple(self.base),
            seconds_head=tuple(self.head),
            fault=self.fault,
            note=self.note,
            compared=not self.note,
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Interpreters of both environments, and the benchmarks."""

    base: Path
    head: Path
    selection: Selection


def measure(
    pair: Pair, bounds: Bounds, *, passes: int = PASSES, instructions: bool = False, seed: int | None = None
) -> list[Comparison]:
    """Measure each benchmark until its counters or its time decide.

    A pass starts a process of each side. There a benchmark runs in blocks: both sides prepare it in a fork, and then
    take turns round by round on one core, in random order; the block gives the ratio of the faster half of either
    side's rounds. Blocks of one pass share two processes, which may differ in speed for as long as they live (by 0.5 %
    where this was measured): a bound of the time should be above that.

    Args:
        pair: what to measure.
        bounds: of growth.
        passes: at most.
        instructions: also count instructions, in a pass of its own.
        seed: of the order.

    Raises:
        UsageError: when there is no benchmark, or no Valgrind to count instructions.
        SideError: when a side ends before it is asked to; a `BaseSideError` when it is the base.
    """
    order = random.Random(seed)  # noqa: S311
    measured: dict[str, _Measured] = {}
    with progress.bar("gate", total=passes + instructions) as bar:
        if instructions:
            for sides, one in _each(pair, measured, callgrind=True):
                _block(sides, one, order, lambda sides, one: _count(sides, one, bounds, "instructions"))
            bar.advance(note="instructions counted")
        for number in range(passes):
            for sides, one in _each(pair, measured):
                if number == 0:
                    _block(sides, one, order, lambda sides, one: _count(sides, one, bounds), counted=True)
                for _ in range(BLOCKS):
                    _block(sides, one, order, lambda sides, one: _time(sides, one, order))
            _look(measured, bounds, number + 1, passes)
            left = sum(one.undecided for one in measured.values())
            bar.advance(note=f"{left} of {len(measured)} undecided")
            if not left:
                break
    return [one.comparison(bounds) for one in measured.values()]


@contextlib.contextmanager
def _both(pair: Pair, *, callgrind: bool = False) -> Iterator[tuple[Side, Side]]:
    """Start both sides; they are the base and the head."""
    with tempfile.TemporaryDirectory(prefix="harness-gate-") as folder, contextlib.ExitStack() as stack:
        base, head = (
            stack.enter_context(running(title, python, pair.selection, Path(folder), callgrind=callgrind))
            for title, python in ((BASE, pair.base), (HEAD, pair.head))
        )
        yield base, head


def _each(
    pair: Pair, measured: dict[str, _Measured], *, callgrind: bool = False
) -> Iterator[tuple[tuple[Side, Side], _Measured]]:
    """Go through the undecided benchmarks in new processes of both sides."""
    with _both(pair, callgrind=callgrind) as sides:
        _collect(sides, measured)
        todo = [one for one in measured.values() if one.undecided]
        for side in sides:
            side.tell("names", names=[one.name for one in todo])
        for one in todo:
            yield sides, one
            for side in sides:
                side.tell("next")


def _collect(sides: tuple[Side, Side], measured: dict[str, _Measured]) -> None:
    """Learn what benchmarks there are.

    Raises:
        SideError: when pytest ends before it has collected.
        UsageError: when there is none.
    """
    names: list[list[str]] = []
    broken: list[dict[str, str]] = []
    for side in reversed(sides):  # where neither can be collected, it is the head's fault
        faults = {}
        while (event := side.hear())["event"] == "broken":
            faults[event["name"]] = event["why"]
        if event["event"] != "collected":
            raise side.error("cannot be collected")
        broken.append(faults)
        names.append(event["names"])
    unread_head, unread_base = broken
    for file, why in unread_head.items():
        measured.setdefault(file, _Measured(file, fault=f"cannot be read: {why}"))
    head, base = names[0], [name for name in names[1] if name.partition("::")[0] not in unread_head]
    if not head and not measured:
        msg = "no benchmark found: a benchmark is a test that uses the fixture `benchmark`"
        raise UsageError(msg)
    for name in dict.fromkeys([*head, *base]):
        one = measured.setdefault(name, _Measured(name))
        file = name.partition("::")[0]
        if file in unread_base:
            one.note = f"new: the base cannot read it: {unread_base[file]}"
        elif name not in base or name not in head:
            one.note = "new" if name in head else "gone"


def _block(
    sides: tuple[Side, Side],
    one: _Measured,
    order: random.Random,
    work: Callable[[tuple[Side, Side], _Measured], None],
    *,
    counted: bool = False,
) -> None:
    """Prepare a benchmark on both sides, do `work`, and let it check its answers.

    A side on which it ends earlier is asked for no more.
    """
    if not one.undecided:
        return
    core = order.choice(sorted(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else None
    ended = {}
    for side in _shuffled(sides, order):
        try:
            _answer(side, "ready", "run", core=core, counted=counted)
        except _EndedError as end:
            ended[side.title] = end.event | {"unused": True}
    if not ended:
        try:
            work(sides, one)
        except _EndedError as end:
            ended[end.side.title] = end.event
    for side in sides:
        if side.title not in ended:
            ended[side.title] = _answer(side, "ended", "go on")
    wrong = {title: f"{one['outcome']}: {one['why']}" for title, one in ended.items() if one["outcome"] != "passed"}
    if HEAD in wrong and ended[HEAD]["outcome"] == "failed":
        one.fault = wrong[HEAD]
    elif wrong:
        one.note = ", ".join(f"{title} {why}" for title, why in wrong.items())
    elif any("unused" in event for event in ended.values()):
        one.note = "not measured: it never calls its fixture `benchmark`"


class _EndedError(Exception):
    """A benchmark ended in place of an answer."""

    def __init__(self, side: Side, event: dict[str, Any]) -> None:
        super().__init__(event)
        self.side, self.event = side, event


def _answer(side: Side, expected: str, do: str, **values: Any) -> dict[str, Any]:
    """Ask a side.

    Raises:
        _EndedError: when the benchmark ends in place of the answer.
        SideError: when the session does.
    """
    event = side.ask(do, **values)
    if event["event"] == expected:
        return event
    if event["event"] == "ended":
        raise _EndedError(side, event)
    raise side.error("ended early")


def _count(sides: tuple[Side, Side], one: _Measured, bounds: Bounds, do: str = "count") -> None:
    """Count two calls of each side."""
    base, head = ([_answer(side, "counted", do)["counters"] for _ in range(2)] for side in sides)
    for name in [name for name in head[0] if name in base[0]]:
        half = bounds.of(name) / 2
        steady = all(name in two and abs(two[name] - first[name]) <= half * first[name] for first, two in (base, head))
        one.counters.append(CounterPair(name, base[0][name], head[0][name], bounds.of(name), repeatable=steady))


def _time(sides: tuple[Side, Side], one: _Measured, order: random.Random) -> None:
    """Time rounds in turns."""
    if not one.calls:
        first = [_answer(side, "timed", "time", calls=1) for side in sides]
        seconds = max(event["seconds"] for event in first)
        one.calls = 1 if first[0]["single"] else max(1, math.ceil(ROUND / max(seconds, 1e-9)))
        one.rounds = max(FEWEST_ROUNDS, min(MOST_ROUNDS, round(BLOCK / (2 * one.calls * seconds))))
    times: dict[str, list[float]] = {side.title: [] for side in sides}
    for _ in range(one.rounds):
        for side in _shuffled(sides, order):
            times[side.title].append(_answer(side, "timed", "time", calls=one.calls)["seconds"])
    base, head = (_faster_half(times[side.title]) for side in sides)
    one.logarithms.append(math.log(head / base))
    one.base.append(base)
    one.head.append(head)


def _faster_half(seconds: Sequence[float]) -> float:
    """Mean of the faster half of rounds.

    Other work makes rounds longer, never shorter.

    >>> _faster_half([4.0, 1.0, 9.0, 2.0])
    1.5
    """
    return statistics.fmean(sorted(seconds)[: (len(seconds) + 1) // 2])


def _look(measured: Mapping[str, _Measured], bounds: Bounds, done: int, passes: int) -> None:
    """Estimate ratios, and decide which benchmarks need more blocks.

    The chance of a false alarm is shared among all that is looked at: benchmarks, and looks at each.
    """
    timed = [one for one in measured.values() if one.logarithms]
    looks = max(1, passes - FIRST_LOOK + 1)
    for one in timed:
        if one.undecided:
            one.time = ratio(one.logarithms, error=ERROR / looks / len(timed))
            verdict = one.time.verdict(1 + bounds.of(TIME))
            one.decided = done >= min(FIRST_LOOK, passes) and verdict != "inconclusive"


def _shuffled(sides: Sequence[Side], order: random.Random) -> list[Side]:
    return order.sample(sides, len(sides))
