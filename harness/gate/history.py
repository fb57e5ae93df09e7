"""Results of past gates, and a page that plots them."""

from __future__ import annotations

import contextlib
import json
import math
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

import altair as alt
import jinja2
import vl_convert
from markupsafe import Markup

from harness.gate.comparison import GateReport, median
from harness.gate.summary import HEADER, headline, rows
from harness.leaderboard.charts import CONFIG, METHOD, REFERENCE
from harness.system import files

NAME = "history.jsonl"
KEPT = 1000
"""Gates that are kept; the oldest go."""
COLOURS = {"passed": METHOD, "failed": REFERENCE, "inconclusive": "#8a94a3"}


def remember(folder: Path, report: GateReport) -> list[dict[str, Any]]:
    """Add a gate to the history in a folder; returns all of it, the oldest first.

    A line that another program spoilt is left out.
    """
    entry = {
        "started": report.started,
        "base": report.base.commit,
        "head": report.head.commit,
        "outcome": report.outcome,
        "hardware": report.made_with["hardware"],
        "benchmarks": {
            one.name: {
                "outcome": one.outcome,
                "ratio": None if one.time is None else one.time.estimate,
                "low": None if one.time is None else _finite(one.time.low),
                "high": None if one.time is None else _finite(one.time.high),
                "seconds": _finite(median(one.seconds_head)),
                "counters": {pair.name: pair.head for pair in one.counters},
            }
            for one in report.comparisons
        },
    }
    path = folder / NAME
    past = []
    if path.is_file():
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            with contextlib.suppress(ValueError, RecursionError):
                value = json.loads(line)
                json.dumps(value, allow_nan=False)  # as it is written below
                past.append(value)
    entries = [*filter(_usable, past), entry][-KEPT:]
    files.write_text(path, "".join(json.dumps(one, sort_keys=True, allow_nan=False) + "\n" for one in entries))
    return entries


def history_page(report: GateReport, entries: list[dict[str, Any]]) -> str:
    """Write a page without scripts.

    It has the last gate's table, and a plot of each benchmark's ratios over gates.
    """
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True)
    source = package_files("harness.gate").joinpath("history.html").read_text(encoding="utf-8")
    plots = [(one.name, Markup(_plot(one.name, entries))) for one in report.comparisons if one.time is not None]  # noqa: S704 - SVG of our own
    return environment.from_string(source).render(
        title=headline(report),
        report=report,
        header=HEADER,
        rows=[(one.outcome, row) for one, row in zip(report.comparisons, rows(report), strict=True)],
        plots=plots,
        gates=len(entries),
    )


def _plot(name: str, entries: list[dict[str, Any]]) -> str:
    records = [
        {
            "gate": number,
            "head": str(entry["head"])[:9],
            "outcome": entry["benchmarks"][name]["outcome"],
            "ratio": entry["benchmarks"][name]["ratio"],
            "low": entry["benchmarks"][name]["low"] or entry["benchmarks"][name]["ratio"],
            "high": entry["benchmarks"][name]["high"] or entry["benchmarks"][name]["ratio"],
        }
        for number, entry in enumerate(entries)
        if entry["benchmarks"].get(name, {}).get("ratio")
    ]
    base = alt.Chart(alt.InlineData(values=records)).encode(
        x=alt.X("gate:O", axis=alt.Axis(labels=False, ticks=False), title="gates, the newest at the right"),
        color=alt.Color(
            "outcome:N",
            scale=alt.Scale(domain=list(COLOURS), range=list(COLOURS.values())),
            legend=alt.Legend(title=None, orient="top"),
        ),
    )
    scale = alt.Scale(zero=False)
    layers = alt.layer(
        alt.Chart(alt.InlineData(values=[{"one": 1.0}])).mark_rule(strokeDash=[3, 3]).encode(y="one:Q"),
        base.mark_rule(strokeWidth=2).encode(y=alt.Y("low:Q", scale=scale, title="time, head / base"), y2="high:Q"),
        base.mark_point(filled=True, size=45, opacity=1).encode(y=alt.Y("ratio:Q", scale=scale)),
    ).properties(width=720, height=160)
    specification = {**layers.to_dict(), "config": CONFIG.to_dict()}
    svg: str = vl_convert.vegalite_to_svg(specification)
    return svg


def _usable(entry: Any) -> bool:
    """True for what `remember` writes, as far as it is read."""
    benchmarks = entry.get("benchmarks") if isinstance(entry, dict) and "head" in entry else None
    return isinstance(benchmarks, dict) and all(
        isinstance(one, dict)
        and one.get("outcome") in list(COLOURS)
        and all(name in one and isinstance(one[name], float | int | None) for name in ("ratio", "low", "high"))
        for one in benchmarks.values()
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
