"""A gate's result as a table for people."""

from __future__ import annotations

from harness.gate.comparison import Comparison, GateReport, median

HEADER = ("benchmark", "outcome", "base", "head", "time, head / base", "blocks", "reason")
MARKS = {"passed": "✅", "failed": "❌", "inconclusive": "⚠️"}


def rows(report: GateReport) -> list[tuple[str, ...]]:
    """One row a benchmark, under `HEADER`."""
    return [
        (
            one.name,
            one.outcome,
            _duration(median(one.seconds_base)),
            _duration(median(one.seconds_head)),
            "" if one.time is None else f"{one.time.estimate:.3f} ({one.time.low:.3f} to {one.time.high:.3f})",
            "" if one.time is None else str(one.time.blocks),
            one.reason,
        )
        for one in report.comparisons
    ]


def headline(report: GateReport) -> str:
    """One line with the outcome."""
    counts = {name: sum(one.compared and one.outcome == name for one in report.comparisons) for name in MARKS}
    counts["not compared"] = sum(not one.compared for one in report.comparisons)
    parts = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    nothing = "; nothing was compared" if report.nothing_compared else ""
    return f"{report.head.reference} against {report.base.reference}: {report.outcome} ({parts}{nothing})"


def markdown(report: GateReport) -> str:
    """The table in Markdown, as for the summary of a workflow."""
    lines = [f"### {MARKS[report.outcome]} {_plain(headline(report))}", ""]
    lines += ["| " + " | ".join(HEADER) + " |", "|" + " --- |" * len(HEADER)]
    for one, row in zip(report.comparisons, rows(report), strict=True):
        cells = [_plain(cell) for cell in row]
        cells[1] = f"{MARKS[one.outcome]} {one.outcome}"
        lines.append("| " + " | ".join(cells) + " |")
    changed = [(one.name, *row) for one in report.comparisons for row in counters(one)]
    if changed:
        lines += ["", "| benchmark | counter | base | head | change |", "| --- | --- | --: | --: | --- |"]
        lines += ["| " + " | ".join(map(_plain, row)) + " |" for row in changed]
    lines += ["", f"{report.made_with['hardware']}, Python {report.made_with['python']}, {report.seconds:.0f} s."]
    lines += [f"Times vary here: {_plain(warning)}." for warning in report.noise]
    return "\n".join(lines) + "\n"


def counters(one: Comparison) -> list[tuple[str, ...]]:
    """Counters that changed: name, base, head, and what it means."""
    return [
        (
            pair.name,
            f"{pair.base:,}",
            f"{pair.head:,}",
            "grew" if pair.grew else "varies from call to call" if not pair.repeatable else "within its bound",
        )
        for pair in one.counters
        if pair.base != pair.head
    ]


def _duration(seconds: float) -> str:
    """Write a time with three digits.

    >>> _duration(0.01234), _duration(2e-6), _duration(float("nan"))
    ('12.3 ms', '2 µs', '')
    """
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return "" if seconds != seconds else f"{seconds * 1e9:.3g} ns"


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
