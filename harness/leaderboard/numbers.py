"""How numbers are shown: fractions as percentages, one precision a unit."""

from __future__ import annotations

import math

from harness.cards import Metric
from harness.leaderboard.ranking import Rank
from harness.leaderboard.statistics import Difference, Interval

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
