"""The table of the records, as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.gpu.rows import Row

SPEED = """\
# Speed on a GPU

Written by `python -m benchmarks.gpu`; a record of each row lies beside it. Answers are checked before a row is timed.
Ours and the peers are the medians of a few calls in one process.

| path | ours | goal | beside | times as fast | answer |
|---|---|---|---|---|---|
"""
COUNTERS = """\

## Counters of a call

| path | kernels | waits | copies | GB moved | GFLOP | peak MB |
|---|---|---|---|---|---|---|
"""
STANDING_IN = """\
# What the paths of the GPU ask of a device

Written by `python -m benchmarks.gpu --counters`, on a processor: operators that compute or copy stand for launches, and
operators that would wait for a CUDA device for waits, an upper bound. Networks with 4 clips, flow with 2 pairs and
without Triton, which makes one kernel of the iterations after a warp, everything else at the sizes that are timed. None
of these numbers depends on the machine's load.
"""


def speed(rows: Sequence[Row], records: Mapping[str, Mapping[str, Any]]) -> str:
    """Table of figures, peers, answers and counters."""
    known = [(row, records[row.name]) for row in rows if row.name in records]
    lines = [_speed_line(row, record) for row, record in known]
    return SPEED + "".join(lines) + _counters(known) + _footer(records)


def standing_in(rows: Sequence[Row], records: Mapping[str, Mapping[str, Any]]) -> str:
    """Table of counters alone."""
    return STANDING_IN + _counters([(row, records[row.name]) for row in rows if row.name in records])


def _speed_line(row: Row, record: Mapping[str, Any]) -> str:
    if "failed" in record:
        return f"| {row.path} | | {row.goal} | | | **{record['failed']}** |\n"
    beside = [
        f"{name} {number(value)} {record['unit']}" if value is not None else f"{name}: not here"
        for name, value in record["peers"].items()
    ]
    ratios = [f"{ratio:.2f}" for ratio in record["times_as_fast_as"].values()]
    answer = [f"{name} {value:.3g}" for name, value in record["answer"].items()]
    ours = f"{number(record['figure'])} {record['unit']}"
    return f"| {row.path} | {ours} | {row.goal} | {'; '.join(beside)} | {'; '.join(ratios)} | {'; '.join(answer)} |\n"


def _counters(known: Sequence[tuple[Row, Mapping[str, Any]]]) -> str:
    lines = []
    for row, record in known:
        counted = record.get("counters", {})
        if "kernels" in counted:
            cells = (
                f"{counted['kernels']:,}",
                f"{counted['synchronisations']:,}",
                f"{counted['copies']:,}",
                f"{counted['bytes_moved'] / 1e9:,.3f}",
                f"{counted['flops'] / 1e9:,.3f}",
                "" if counted["peak_bytes"] is None else f"{counted['peak_bytes'] / 1e6:,.1f}",
            )
            lines.append(f"| {row.path} | {' | '.join(cells)} |\n")
    return COUNTERS + "".join(lines)


def _footer(records: Mapping[str, Mapping[str, Any]]) -> str:
    made = next((record["made_with"] for record in records.values() if "made_with" in record), None)
    if made is None:
        return ""
    where = (f"{made[name]} {noun}" for name, noun in (("hardware", ""), ("processors", "processors")) if name in made)
    libraries = (f"{name} {made['libraries'][name]}" for name in ("torch", "numpy") if name in made["libraries"])
    return f"\n{', '.join(text.strip() for text in (*where, *libraries))}.\n"


def number(value: float) -> str:
    """Three significant digits.

    >>> number(1234.5), number(0.01234), number(12.34)
    ('1,234', '0.0123', '12.3')
    """
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
