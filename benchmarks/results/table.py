"""The table of both sides' speeds, as Markdown."""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.results.records import Records
from benchmarks.results.rows import PRODUCTS, Row
from benchmarks.results.side import OURS
from harness.gate.noise import OTHERS

POLICIES = ("PASSIVE", "ACTIVE")
"""Values of OMP_WAIT_POLICY: threads that wait sleep, or spin."""
RESAMPLES = 2000
HEAD = """\
# Speed beside the peers

Written by `python -m benchmarks.results -o benchmarks/{output}`; the raw blocks are in `{raw}`.

{machine}

Each side runs in a process of its own, which is stopped while the other has its turn. A block is at least 0.2 s of
calls; in each round every side has one block, in random order. A ratio is the median of the peer's blocks over that of
ours, so above 1 ours is faster; in brackets its 95 % interval, by bootstrap of the rounds. Once with
`OMP_WAIT_POLICY=PASSIVE`, where threads that wait sleep, and once with `ACTIVE`, where they spin. Answers are compared
before a row counts. *holds*: both intervals lie above the goal; *below*: one lies under it; *open*: neither. Some rows
have a side that computes their matrix products alone: no exact code on this processor can be faster than that.

| path | beside | ours | PASSIVE | ACTIVE | goal | |
|---|---|---|---|---|---|---|
"""


def interval(ours: Sequence[float], peer: Sequence[float]) -> tuple[float, float, float]:
    """Ratio of the peer's median block to ours, with its 95 % interval by bootstrap of the rounds.

    >>> interval([1.0, 1.0, 1.0], [3.0, 2.0, 4.0])
    (3.0, 2.0, 4.0)
    """
    draw = random.Random(0)  # the same blocks give the same table
    rounds = range(len(ours))
    ratios = []
    for _ in range(RESAMPLES):
        chosen = [draw.choice(rounds) for _ in rounds]
        ratios.append(statistics.median(peer[i] for i in chosen) / statistics.median(ours[i] for i in chosen))
    ratios.sort()
    tail = round(0.025 * RESAMPLES)
    return statistics.median(peer) / statistics.median(ours), ratios[tail], ratios[-1 - tail]


def verdict(intervals: Sequence[tuple[float, float, float]], goal: float) -> str:
    """Say whether ratios reach a goal.

    >>> verdict([(1.4, 1.3, 1.5), (1.3, 1.2, 1.4)], 1.2), verdict([(1.4, 1.3, 1.5)], 1.4), verdict([(1, 1, 1)], 2)
    ('holds', 'open', 'below')
    """
    if any(high < goal for _, _, high in intervals):
        return "below"
    return "holds" if all(low >= goal for _, low, _ in intervals) else "open"


def render(rows: Sequence[Row], records: Records, *, output: str, raw: str) -> str:
    """Write the table of what was measured."""
    lines = [line for row in rows for line in _lines(row, records)]
    return HEAD.format(output=output, raw=raw, machine=_machine(rows, records)) + "\n".join(lines) + "\n"


def _lines(row: Row, records: Records) -> Iterator[str]:
    """Lines of a row: one for each peer, or one for ours alone."""
    measured = {policy: records.get(row.test, policy) for policy in POLICIES}
    failures = [f"{policy}: {record['failed']}" for policy, record in measured.items() if record and "failed" in record]
    done = {policy: record for policy, record in measured.items() if record and "failed" not in record}
    path = f"{row.path}{_noisy(done)}"
    if not done:
        yield _line(path, "", "", "", "", "", _escaped("; ".join(failures)) or "not measured")
        return
    first = next(iter(done.values()))
    named = {peer for record in done.values() for peer in [*record["blocks"], *record["missing"]]}
    peers = sorted(named, key=lambda peer: (peer == PRODUCTS, peer))
    speed = " / ".join(f"{record['items'] / statistics.median(record['blocks'][OURS]):.4g}" for record in done.values())
    for peer in [peer for peer in peers if peer != OURS] or [""]:
        found = {
            policy: interval(record["blocks"][OURS], record["blocks"][peer])
            for policy, record in done.items()
            if peer in record["blocks"]
        }
        cells = [_cell(found.get(policy)) for policy in POLICIES]
        if peer in first["missing"]:
            cells = ["not installed"] * 2
        goal = row.goal_beside(peer)
        said = verdict(list(found.values()), goal) if goal is not None and found else ""
        most = _most(done, peer) if said == "below" else ""
        told = "; ".join(filter(None, [said, most, row.note, *map(_escaped, failures)]))
        yield _line(path, peer or "nothing", f"{speed} {row.unit}/s", *cells, f"{goal:g}" if goal else "", told)


def _most(done: Mapping[str, Mapping[str, Any]], peer: str) -> str:
    """Ratio to a peer of the matrix products alone, where they were measured."""
    ratios = [
        statistics.median(record["blocks"][peer]) / statistics.median(record["blocks"][PRODUCTS])
        for record in done.values()
        if peer in record["blocks"] and PRODUCTS in record["blocks"]
    ]
    return f"{PRODUCTS} would be {max(ratios):.1f} times as fast" if ratios else ""


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(found: tuple[float, float, float] | None) -> str:
    return "" if found is None else "{:.2f} ({:.2f}–{:.2f})".format(*found)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def _noisy(done: Mapping[str, Mapping[str, Any]]) -> str:
    """Mark a row beside which other processes worked."""
    worst = max((record["others"] for record in done.values()), default=0.0)
    return f" (not quiet: others took {worst:.0%} of a processor)" if worst > OTHERS else ""


def _machine(rows: Sequence[Row], records: Records) -> str:
    """Describe hardware and versions, and warn where the machine was not quiet."""
    made = records.made
    all_records = [record for row in rows for policy in POLICIES if (record := records.get(row.test, policy))]
    commits = sorted({record["commit"] or "unknown" for record in all_records})
    dates = sorted({record["date"] for record in all_records})
    threads = sorted({record["threads"] for record in all_records if "threads" in record})
    libraries = ", ".join(f"{name} {number}" for name, number in made["libraries"].items())
    lines = [
        f"- {made['hardware']}, {made['processors']} processors, PyTorch with {' or '.join(map(str, threads))} threads",
        f"- {made['system']}",
        f"- Python {made['python']}, {libraries}",
        f"- commit {', '.join(commits)}, measured {' to '.join(dict.fromkeys([*dates[:1], *dates[-1:]]))}",
    ]
    noise = sorted({warning for record in all_records for warning in record["warnings"]})
    quiet = "quiet: a low load average, no busy process of others, no governor that saves power"
    lines.append(f"- **not quiet before some rows**: {'; '.join(noise)}" if noise else f"- the machine was {quiet}")
    return "\n".join(lines)
