"""Numbers of several boards in one table, grouped by what they measure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.cards import MethodCard
from harness.leaderboard import text
from harness.leaderboard.site.recorded import Number, RecordedBoard, RecordedRow
from harness.system.text import one_line

FACETS = {
    "method": "method",
    "pretraining": "learnt from",
    "measure": "measured by",
    "data": "measured on",
    "labels": "labels",
    "paper": "paper",
}
"""Titles of what the table is filtered by."""
NOTHING, NO_PAPER = "nothing", "none known"
LABELS = {"method": "none", "reference": "read by the method", "labelled": "learnt from by its weights"}
"""Use of labels by the class of a row."""
FIRST = 100
"""Number of rows that a page draws at first."""
_SHOWN, _LONGEST = 4, 24
"""Settings that a heading names at most, and characters of each value."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A number of a board, as a row of the table."""

    board: RecordedBoard
    number: Number
    codes: str
    """For each facet the places of its values: `0 3 1 0 0 2,4`."""
    later: bool = False
    """True where the page draws it when a reader comes to it."""

    @property
    def kind(self) -> str:
        """Class of its row: method, reference, labelled."""
        return kind(self.number.row)


@dataclass(frozen=True, slots=True)
class Group:
    """Numbers of one metric under one protocol, which are sorted among themselves."""

    first: Number
    differences: str
    """Settings in which others differ that have the same heading; empty without such."""
    entries: tuple[Entry, ...]

    @property
    def later(self) -> bool:
        """True where all of it is drawn later."""
        return all(entry.later for entry in self.entries)


@dataclass(frozen=True, slots=True)
class NumbersTable:
    """The groups, and the values that they are filtered by."""

    groups: tuple[Group, ...]
    facets: tuple[dict[str, Any], ...]
    """Key, title and values of each facet, for the page's script."""


def kind(row: RecordedRow) -> str:
    """Class of a row in tables: method, reference, labelled."""
    if row.labelled and not row.supervised:
        return "labelled"
    return "reference" if row.supervised else "method"


def method_names(row: RecordedRow) -> tuple[str, ...]:
    """Name of a row's method, and those of its parts."""
    return tuple(dict.fromkeys([row.identity.method.name, *(part.method.name for part in row.identity.parts)]))


def numbers_table(numbers: Iterable[tuple[RecordedBoard, Number]], cards: Mapping[str, MethodCard]) -> NumbersTable:
    """Group numbers by protocol and metric; boards and their rows keep their order."""
    places: dict[str, dict[str, int]] = {name: {} for name in FACETS}
    by_protocol: dict[tuple[str, ...], list[Entry]] = {}
    for board, number in numbers:
        values = _values(number, cards)
        codes = [
            ",".join(str(places[name].setdefault(value, len(places[name]))) for value in values[name])
            for name in FACETS
        ]
        key = (*_heading(number), number.protocol)
        by_protocol.setdefault(key, []).append(Entry(board, number, " ".join(codes)))
    ordered = sorted(by_protocol.values(), key=lambda entries: _order(entries[0].number))
    alike: dict[tuple[str, ...], list[Number]] = {}
    for entries in ordered:
        alike.setdefault(_heading(entries[0].number), []).append(entries[0].number)
    groups, drawn = [], 0
    for entries in ordered:
        first = entries[0].number
        shown = tuple(replace(entry, later=drawn + place >= FIRST) for place, entry in enumerate(entries))
        groups.append(Group(first, _differences(first, alike[_heading(first)]), shown))
        drawn += len(entries)
    facets = tuple(
        {"key": name, "title": title, "values": list(map(one_line, places[name]))} for name, title in FACETS.items()
    )
    return NumbersTable(tuple(groups), facets)


def _values(number: Number, cards: Mapping[str, MethodCard]) -> dict[str, list[str]]:
    """Values of a number by facet."""
    identity, names = number.row.identity, method_names(number.row)
    papers = [paper.title for name in names if name in cards and (paper := cards[name].paper) is not None]
    return {
        "method": list(names),
        "pretraining": [identity.pretraining.label if identity.pretraining else NOTHING],
        "measure": [f"{number.cell.evaluator.name}: {number.metric.title}"],
        "data": [number.cell.data.label],
        "labels": [LABELS[kind(number.row)]],
        "paper": list(dict.fromkeys(papers)) or [NO_PAPER],
    }


def _heading(number: Number) -> tuple[str, ...]:
    return number.cell.evaluator.label, number.cell.data.label, number.metric.id


def _order(number: Number) -> tuple[object, ...]:
    """Sort key of groups: evaluator and data, then the metric that ranks first."""
    evaluator, data, metric = _heading(number)
    return number.cell.evaluator.name, data, evaluator, not number.primary, metric, number.protocol


def _differences(one: Number, alike: Sequence[Number]) -> str:
    """Settings of a protocol that not all of those with the same heading share."""
    settings = [text.flatten(other.settings) for other in alike]
    own = text.flatten(one.settings)
    different = [path for path in own if any(other.get(path) != own[path] for other in settings)]
    return "; ".join(_shown(own, different))


def _shown(own: Mapping[str, str], paths: Sequence[str]) -> Iterator[str]:
    for path in paths[:_SHOWN]:
        value = own[path]
        yield f"{path} {value if len(value) <= _LONGEST else value[: _LONGEST - 1] + '…'}"
    if len(paths) > _SHOWN:
        yield f"{len(paths) - _SHOWN} more"
