"""YAML that is only data, read without letting a small file become a large one."""

from __future__ import annotations

import math
from collections.abc import Hashable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from harness.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 2**20
"""Bytes of a file."""
DEEPEST = 50
"""Lists and mappings inside each other."""
MOST = 100_000
"""Values of a file once its aliases are written out.

64 characters of a text count as one.
"""
_MERGE = "tag:yaml.org,2002:merge"


class NotPlainError(ValueError):
    """Text that is no YAML, or more than data; the message is one line."""


def read(path: Path) -> Any:
    """Read the YAML file at `path`.

    Raises:
        NotPlainError: as `parse`, and when the file is too large or not UTF-8.
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        content = file.read(LARGEST + 1)
    if len(content) > LARGEST:
        msg = f"expected at most {LARGEST // 2**20} MiB, which no list of names needs; is it the right file?"
        raise NotPlainError(msg)
    try:
        return parse(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        msg = f"expected UTF-8, got the byte 0x{content[error.start]:02x} at {error.start}; save it as UTF-8"
        raise NotPlainError(msg) from error


def parse(text: str) -> Any:
    """Parse YAML into lists, mappings, texts, finite numbers and truth values.

    >>> parse("{methods: [sfa, {name: knn, k: 5}]}")
    {'methods': ['sfa', {'name': 'knn', 'k': 5}]}

    Raises:
        NotPlainError: when it is no YAML, asks for objects, has a key twice or a number that is not finite, or would
            grow beyond `MOST` values or `DEEPEST` levels, which is noticed before it does.
    """
    if len(text) > LARGEST:
        msg = f"expected at most {LARGEST:,} characters, got {len(text):,}"
        raise NotPlainError(msg)
    try:
        _expect_small(yaml.parse(text, yaml.SafeLoader))
        return yaml.load(text, _Loader)  # noqa: S506  # a SafeLoader
    except NotPlainError:
        raise
    except (yaml.YAMLError, ValueError, OverflowError, TypeError) as error:
        raise NotPlainError(f"not plain YAML data: {printable(str(error))}") from error


def _expect_small(events: Iterator[yaml.Event]) -> None:
    """Count what aliases stand for, one event after the other."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        if isinstance(event, yaml.CollectionStartEvent):
            opened.append((event.anchor, total))
            if len(opened) > DEEPEST:
                msg = f"line {line}: expected at most {DEEPEST} lists and mappings in each other"
                raise NotPlainError(msg)
            total += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, yaml.ScalarEvent):
            size = 1 + len(event.value) // 64
            total += size
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, yaml.AliasEvent) and event.anchor is not None:
            if any(anchor == event.anchor for anchor, _ in opened):
                msg = f"line {line}: the alias *{printable(event.anchor, 80)} holds itself"
                raise NotPlainError(msg)
            total += sizes.get(event.anchor, 0)  # 0: the loader names an alias of nothing
        if total > MOST:
            msg = f"line {line}: expected at most {MOST:,} values with all aliases written out"
            raise NotPlainError(msg)


class _Loader(yaml.SafeLoader):
    """PyYAML's loader of data, which also refuses what a suite cannot mean."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:
    seen: set[Any] = set()
    for key_node, _ in node.value:  # before merges (`<<`), whose keys may come again
        key = None if key_node.tag == _MERGE else loader.construct_object(key_node, deep=True)
        if key is not None and isinstance(key, Hashable):
            if key in seen:
                msg = f"line {key_node.start_mark.line + 1}: the key {printable(str(key), 80)!r} comes twice; keep one"
                raise NotPlainError(msg)
            seen.add(key)
    yield from loader.construct_yaml_map(node)


def _number(loader: _Loader, node: yaml.ScalarNode) -> float:
    value: float = loader.construct_yaml_float(node)
    if not math.isfinite(value):
        msg = f"line {node.start_mark.line + 1}: expected a finite number, got {printable(node.value, 80)}"
        raise NotPlainError(msg)
    return value


def _text(loader: _Loader, node: yaml.ScalarNode) -> str:
    value: str = loader.construct_yaml_str(node)
    try:
        value.encode()
    except UnicodeEncodeError:
        msg = f"line {node.start_mark.line + 1}: expected text, got half of a character in {printable(value, 80)!r}"
        raise NotPlainError(msg) from None
    return value


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:float", _number)
_Loader.add_constructor("tag:yaml.org,2002:str", _text)
