"""Protocols and provenance in lines that people read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

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
