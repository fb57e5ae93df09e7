"""Names, numbers and settings as text that Markdown, pages and CSV can show."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from harness.cards import Metric
from harness.leaderboard.statistics import Difference, Interval
from harness.system.text import one_line

_DIGITS = {"%": 1, "bits": 2, "nats": 3, "1": 3}
"""Decimals by unit; other units span orders of magnitude, and get three digits."""
DRAWN, TITLE = 400, 160
"""Characters of a label and of a title in a plot, whose size grows with them."""
_FEW = 3
"""Number of distinct values up to which all are named."""


def drawn(text: str) -> str:
    """Write text as a label of a plot.

    >>> len(drawn("x" * 20_000))
    400
    """
    return one_line(text, DRAWN)


def file_name(text: str) -> str:
    """Turn text into a part of a file name, 40 characters at most; not injective.

    >>> file_name("few_shot"), file_name("../x y"), file_name("<>")
    ('few_shot', 'x-y', '')
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower())[:40].strip("-")


def scaled(value: float, metric: Metric) -> float:
    """Convert a stored value to the unit it is shown in."""
    return 100 * value if metric.unit == "%" else value


def number(value: float, metric: Metric) -> str:
    """Format a stored value, without its unit.

    >>> accuracy = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True)
    >>> number(0.61349, accuracy), number(-0.0001, accuracy)
    ('61.3', '0.0')
    >>> speed = Metric(id="speed", title="Speed", unit="clips/s", higher_is_better=True)
    >>> number(1234.5, speed), number(45.678, speed), number(0.0123, speed)
    ('1,234', '45.7', '0.0123')
    """
    shown = scaled(value, metric)
    digits = _DIGITS.get(metric.unit)
    if digits is None:
        digits = min(4, max(0, 2 - math.floor(math.log10(abs(shown))))) if shown else 0
    return f"{round(shown, digits) + 0.0:,.{digits}f}"


def span(interval: Interval, metric: Metric, dash: str = "–") -> str:
    """Format the ends of an interval: `57.0–65.5`; empty where the spread is unknown."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{number(interval.low, metric)}{dash}{number(interval.high, metric)}"


def signed(difference: Difference, metric: Metric) -> str:
    """Format a difference with its interval: `+4.2 [1.0, 7.4]`."""
    low, high = number(difference.low, metric), number(difference.high, metric)
    mean = number(difference.mean, metric)
    return f"{'' if mean.startswith('-') else '+'}{mean} [{low}, {high}]"


def chance(limits: tuple[float, float] | None, metric: Metric) -> str:
    """Format chance, as a range where rows differ; empty where there is none."""
    low, high = (number(value, metric) for value in limits) if limits else ("", "")
    return low if low == high else f"{low}–{high}"


def metric_heading(metric: Metric) -> str:
    """Name a metric with its unit and direction: `Top-1 accuracy, % ↑`."""
    # No line breaks before the arrow: it would stand alone in a narrow column.
    arrow = f"\u00a0{'↑' if metric.higher_is_better else '↓'}"
    title = drawn(metric.title)
    return f"{title}{arrow}" if metric.unit == "1" else f"{title}, {drawn(metric.unit)}{arrow}"


def rank_range(low: int, high: int) -> str:
    """Format a range of ranks: `1–3`, or `2`."""
    return str(low) if low == high else f"{low}–{high}"


def p_value(p: float) -> str:
    """Format a p-value: `0.032`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(videos: int, listed: int) -> str:
    """Format the share of the listed videos that is there.

    >>> share(99_999, 100_000)
    '99.9 % (99,999 of 100,000)'
    """
    percent = min(99.9, 100 * videos / listed)  # what lacks a video is never 100 %
    return f"{percent:.1f} % ({videos:,} of {listed:,})"


def data_faults(faults: Mapping[str, Any]) -> str:
    """Describe what `harness.execution.data_faults` records.

    >>> shared = {"train": {"videos": 210, "equal": 3, "similar": 5}}
    >>> data_faults({"shared": shared, "absent": {"test": {"action": ["a"]}}})
    'test videos in train: 3 of 210, and 5 nearly; absent from test: action a'
    >>> data_faults({"shared": {"pretraining": {"videos": 1200, "equal": 0, "similar": 5}}})
    'test videos nearly in pretraining: 5 of 1,200'
    """
    notes = []
    for name, count in faults.get("shared", {}).items():
        equal, similar, videos = (count[field] for field in ("equal", "similar", "videos"))
        if equal:
            notes.append(
                f"test videos in {name}: {equal:,} of {videos:,}" + (f", and {similar:,} nearly" if similar else "")
            )
        else:
            notes.append(f"test videos nearly in {name}: {similar:,} of {videos:,}")
    for name, kinds in faults.get("absent", {}).items():
        for kind, classes in kinds.items():
            named = ", ".join(classes) if len(classes) <= _FEW else f"{len(classes):,} classes"
            notes.append(f"absent from {name}: {kind} {named}")
    return "; ".join(notes)


def flatten(value: Mapping[str, Any]) -> dict[str, str]:
    """Flatten nested JSON to text by dotted path, sorted.

    >>> flatten({"view": {"frames": 16, "resize": None}, "splits": [1, 2], "selection": {}})
    {'selection': 'none', 'splits': '1, 2', 'view.frames': '16', 'view.resize': 'none'}
    """
    return dict(sorted(_leaves("", value)))


def _leaves(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}" if path else str(key), inner)
    elif isinstance(value, list | tuple) and value:
        yield path, ", ".join(str(inner) for inner in value)
    else:
        yield path, "none" if value is None or value in ({}, [], ()) else str(value)


def merge(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Merge records by dotted path: the distinct values, or first and last of many.

    >>> merge([{"seed": 0, "torch": "2.13.0"}, {"seed": 1, "torch": "2.13.0"}])
    {'seed': '0; 1', 'torch': '2.13.0'}
    """
    texts_of: dict[str, dict[tuple[float, str], str]] = {}
    for record in records:
        for path, text in flatten(record).items():
            texts_of.setdefault(path, {})[_order(text)] = text
    merged = {}
    for path, texts in texts_of.items():
        ordered = [texts[key] for key in sorted(texts)]
        many = len(ordered) > _FEW
        merged[path] = f"{ordered[0]} … {ordered[-1]} ({len(ordered)} values)" if many else "; ".join(ordered)
    return merged


def _order(text: str) -> tuple[float, str]:
    """Sort key: numbers by size, before words by spelling."""
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text
