"""Format numbers, protocols and names for Markdown, pages and CSV."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from harness.cards import Metric
from harness.leaderboard.ranking import Rank
from harness.leaderboard.statistics import Difference, Interval
from harness.leaderboard.table import Cell

_MARKUP = re.compile(r"([\\`*_{}\[\]<>|~&#$!@]|:(?=\S))")
_AUTOLINK = re.compile(r"\bwww\.", re.IGNORECASE)
_BLOCK = re.compile(r"^(\d+)([.)])|^([-+=])")
_FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")


def one_line(text: str) -> str:
    r"""`text` without line breaks, control characters and characters that reorder what is shown.

    >>> one_line("a\n b\x1b[31m\u202ec")
    'a b [31m c'
    """
    shown = "".join(" " if unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} else c for c in text)
    return re.sub(" +", " ", shown).strip()


def markdown(text: str) -> str:
    r"""`text` as Markdown that renders as the same text, also within a table.

    >>> markdown("a|b `c` <script> https://x")
    'a\\|b \\`c\\` \\<script\\> https\\://x'
    """
    escaped = _AUTOLINK.sub(lambda match: match[0][:-1] + "\\.", _MARKUP.sub(r"\\\1", one_line(text)))
    return _BLOCK.sub(lambda match: f"{match[1]}\\{match[2]}" if match[1] else f"\\{match[3]}", escaped)


def code(text: str) -> str:
    """`text` as a Markdown code span, whatever backticks it contains.

    >>> code("harness run x"), code("a`b")
    ('`harness run x`', '`` a`b ``')
    """
    line = one_line(text)
    if "`" not in line:
        return f"`{line}`"
    fence = "`" * (1 + max(len(run) for run in re.findall("`+", line)))
    return f"{fence} {line} {fence}"


def file_name(text: str) -> str:
    """`text` as a part of a file name, 40 characters at most; several texts may share one.

    >>> file_name("few_shot"), file_name("../x y"), file_name("<>")
    ('few_shot', 'x-y', '')
    """
    return re.sub(r"[^a-z0-9_]+", "-", text.lower())[:40].strip("-")


def cell(text: str) -> str:
    """`text` for a CSV file: what a spreadsheet would run as a formula gets an apostrophe in front.

    >>> cell("=HYPERLINK(1)"), cell("sfa")
    ("'=HYPERLINK(1)", 'sfa')
    """
    line = one_line(text)
    return f"'{line}" if line.startswith(_FORMULA) else line


_DIGITS = {"%": 1, "bits": 2, "1": 3}
"""Decimals; units that are not here span orders of magnitude, and get three significant digits."""


def scaled(value: float, metric: Metric) -> float:
    """`value` in the unit it is shown in."""
    return 100 * value if metric.unit == "%" else value


def shown(value: float, metric: Metric) -> str:
    """`value` as tables show it, without its unit.

    >>> accuracy = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True)
    >>> shown(0.61349, accuracy), shown(-0.0001, accuracy)
    ('61.3', '0.0')
    >>> speed = Metric(id="speed", title="Speed", unit="clips/s", higher_is_better=True)
    >>> shown(1234.5, speed), shown(45.678, speed), shown(0.0123, speed)
    ('1,234', '45.7', '0.0123')
    """
    number = scaled(value, metric)
    digits = _DIGITS.get(metric.unit)
    if digits is None:
        digits = min(4, max(0, 2 - math.floor(math.log10(abs(number))))) if number else 0
    return f"{round(number, digits) + 0.0:,.{digits}f}"


def span(interval: Interval, metric: Metric) -> str:
    """`57.0–65.5`, or nothing where the spread is unknown."""
    if interval.low is None or interval.high is None:
        return ""
    return f"{shown(interval.low, metric)}–{shown(interval.high, metric)}"


def signed(difference: Difference, metric: Metric) -> str:
    """`+4.2 [1.0, 7.4]`."""
    low, high = shown(difference.low, metric), shown(difference.high, metric)
    mean = shown(difference.mean, metric)
    return f"{'' if mean.startswith('-') else '+'}{mean} [{low}, {high}]"


def chance(limits: tuple[float, float], metric: Metric) -> str:
    """The baseline, or the least and greatest where they differ."""
    low, high = (shown(value, metric) for value in limits)
    return low if low == high else f"{low}–{high}"


def measured(metric: Metric) -> str:
    """What a column's numbers are: `Top-1 accuracy, % ↑`."""
    # No line breaks before the arrow: it would stand alone in a narrow column.
    return f"{metric.title}{unit(metric)}" if metric.unit == "1" else f"{metric.title}, {unit(metric)}"


def unit(metric: Metric) -> str:
    """A metric's unit and which way is better: `% ↑`."""
    return f"{'' if metric.unit == '1' else metric.unit}\u00a0{'↑' if metric.higher_is_better else '↓'}"


def letter(number: int) -> str:
    """A, B, ... for the divisions of a board."""
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def rank_range(low: int, high: int) -> str:
    """`1–3`, or `2`."""
    return str(low) if low == high else f"{low}–{high}"


def place(rank: Rank) -> str:
    """`1 (1–3)`, or `2` where nothing else is possible."""
    return str(rank.place) if rank.low == rank.high else f"{rank.place} ({rank_range(rank.low, rank.high)})"


def probability(p: float) -> str:
    """A p-value: `0.032`, `< 0.001`."""
    return "< 0.001" if p < 0.001 else f"{p:.3f}"


def share(value: float, whole: float) -> str:
    """`value` of `whole`: `83 %`."""
    return f"{100 * value / whole:.0f} %"


FEW = 3


def flatten(value: Mapping[str, Any]) -> dict[str, str]:
    """Nested JSON values as text by dotted path, sorted.

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


def differences(
    these: Sequence[Mapping[str, Any] | None], those: Sequence[Mapping[str, Any] | None]
) -> tuple[tuple[str, str, str], ...]:
    """(setting, here, there) for every setting in which the protocols of two divisions differ in some column.

    >>> differences([{"view": {"frames": 1}}], [{"view": {"frames": 16}}])
    (('view.frames', '1', '16'),)
    """
    found: dict[tuple[str, str, str], None] = {}
    for one, other in zip(these, those, strict=True):
        if one is not None and other is not None:
            here, there = flatten(one), flatten(other)
            for path in sorted({*here, *there}):
                if here.get(path) != there.get(path):
                    found[path, here.get(path, "absent"), there.get(path, "absent")] = None
    return tuple(found)


def merge(values: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What several runs say of themselves: each path with its distinct values, or the first and last of many.

    >>> merge([{"seed": 0, "torch": "2.13.0"}, {"seed": 1, "torch": "2.13.0"}])
    {'seed': '0; 1', 'torch': '2.13.0'}
    """
    found: dict[str, dict[Any, str]] = {}
    for value in values:
        for path, text in flatten(value).items():
            found.setdefault(path, {})[_order(text)] = text
    merged = {}
    for path, texts in found.items():
        ordered = [texts[key] for key in sorted(texts)]
        many = len(ordered) > FEW
        merged[path] = f"{ordered[0]} … {ordered[-1]} ({len(ordered)} values)" if many else "; ".join(ordered)
    return merged


def _order(text: str) -> tuple[float, str]:
    """Numbers by size, before words by spelling."""
    try:
        return float(text), text
    except ValueError:
        return float("inf"), text


def coverage(cell: Cell) -> str:
    """The share of listed videos in each split that lacks some, and of the data learnt from; empty for whole copies.

    Seeds that differ, as when files were lost between their runs, are each named.
    """
    texts: dict[str, None] = {}
    for seed in cell.seeds:
        if seed.run is not None and seed.values:
            known: dict[str, Any] = dict(seed.run.protocol.get("coverage", {}))
            if learnt := seed.run.provenance.get("pretraining_coverage"):
                known["learnt from"] = learnt
            texts[", ".join(f"{name} {_share(found)}" for name, found in known.items())] = None
    return "; ".join(text for text in texts if text)


def _share(found: dict[str, Any]) -> str:
    videos, listed = found["videos"], found["listed"]
    share = min(99.9, 100 * videos / listed)  # what lacks a video is never 100 %
    return f"{share:.1f} % ({videos:,} of {listed:,})"
