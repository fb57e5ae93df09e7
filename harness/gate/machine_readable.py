"""A gate's result for programs: JSON of our own and of others, and JUnit."""

from __future__ import annotations

import dataclasses
import math
import statistics
from typing import Any
from xml.etree import ElementTree as Xml

from harness.gate.comparison import Comparison, GateReport, median


def gate_document(report: GateReport) -> dict[str, Any]:
    """Everything, for `gate.json` and `--json`; numbers that are not finite are null."""
    document = dataclasses.asdict(report)
    document["outcome"] = report.outcome
    for values, one in zip(document["comparisons"], report.comparisons, strict=True):
        values |= {"outcome": one.outcome, "reason": one.reason}
    finite: dict[str, Any] = _finite(document)
    return finite


def pytest_benchmark_document(report: GateReport) -> dict[str, Any]:
    """The head's times as pytest-benchmark writes them; a round is a block."""
    return {
        "machine_info": {"cpu": {"brand_raw": report.made_with["hardware"]}, **report.made_with},
        "commit_info": {"id": report.head.commit, "dirty": "+" in report.head.commit},
        "benchmarks": [_benchmark(one) for one in report.comparisons if one.seconds_head],
        "datetime": report.started,
        "version": "5.0.0",
    }


def github_action_document(report: GateReport) -> list[dict[str, Any]]:
    """The head's times for github-action-benchmark's tool `customSmallerIsBetter`."""
    return [
        {
            "name": one.name,
            "unit": "s",
            "value": median(one.seconds_head),
            "range": f"± {_spread(one.seconds_head):.3g}",
            "extra": one.reason,
        }
        for one in report.comparisons
        if one.seconds_head
    ]


def junit(report: GateReport) -> str:
    """JUnit's XML: a test case a benchmark, skipped where nothing is decided."""
    suite = Xml.Element(
        "testsuite",
        name="gate",
        tests=str(len(report.comparisons)),
        failures=str(sum(one.outcome == "failed" for one in report.comparisons)),
        errors="0",
        skipped=str(sum(map(_undecided, report.comparisons))),
        time=str(report.seconds),
        timestamp=report.started[:19],
    )
    for one in report.comparisons:
        file, _, name = one.name.partition("::")
        case = Xml.SubElement(suite, "testcase", classname=_printable(file), name=_printable(name or file), time="0")
        if one.outcome == "failed":
            Xml.SubElement(case, "failure", message=_printable(one.reason)).text = _printable(one.reason)
        elif _undecided(one):
            what = "inconclusive" if one.compared else "not compared"
            Xml.SubElement(case, "skipped", message=_printable(f"{what}: {one.reason}"))
    root = Xml.Element("testsuites")
    root.append(suite)
    Xml.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + Xml.tostring(root, encoding="unicode") + "\n"


def _undecided(one: Comparison) -> bool:
    return one.outcome == "inconclusive" or (one.outcome == "passed" and not one.compared)


def _benchmark(one: Comparison) -> dict[str, Any]:
    seconds = sorted(one.seconds_head)
    file, _, name = one.name.partition("::")
    low, middle, high = statistics.quantiles(seconds, n=4) if len(seconds) > 1 else [seconds[0]] * 3
    mean, deviation = statistics.fmean(seconds), _spread(one.seconds_head)
    inside = [value for value in seconds if low - 1.5 * (high - low) <= value <= high + 1.5 * (high - low)]
    far = sum(abs(value - mean) > deviation for value in seconds)
    return {
        "group": None,
        "name": name or file,
        "fullname": one.name,
        "params": None,
        "param": None,
        "extra_info": {"outcome": one.outcome, "reason": one.reason, "head_over_base": one.time and one.time.estimate},
        "options": {},
        "stats": {
            "min": seconds[0],
            "max": seconds[-1],
            "mean": mean,
            "stddev": deviation,
            "rounds": len(seconds),
            "median": middle,
            "q1": low,
            "q3": high,
            "iqr": high - low,
            "iqr_outliers": len(seconds) - len(inside),
            "stddev_outliers": far,
            "outliers": f"{far};{len(seconds) - len(inside)}",
            "ld15iqr": inside[0],
            "hd15iqr": inside[-1],
            "ops": 1 / mean,
            "total": sum(seconds),
            "iterations": 1,
            "data": list(one.seconds_head),
        },
    }


def _spread(seconds: tuple[float, ...]) -> float:
    return statistics.stdev(seconds) if len(seconds) > 1 else 0.0


def _printable(text: str) -> str:
    """Leave out characters that XML has no word for."""
    return "".join(char for char in text if char in "\t\n\r" or (ord(char) >= 32 and char not in "\ufffe\uffff"))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
