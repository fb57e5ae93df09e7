"""YAML 1.2 that is only data; a small file cannot become a large one."""

from __future__ import annotations

import io
import math
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent, CollectionEndEvent, CollectionStartEvent, DocumentStartEvent, ScalarEvent
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from harness.system.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ruamel.yaml.events import Event
    from ruamel.yaml.nodes import MappingNode, Node

LARGEST = 2**20
"""Bytes of a file."""
DEEPEST = 50
"""Lists and mappings inside each other."""
MOST = 100_000
"""Values of a file once its aliases are written out.

64 characters of a text count as one.
"""
_DIGITS = 4300
"""Digits of a whole number: as many as Python itself takes from 3.10.7 on."""
_OLD_NUMBER = re.compile(r"_|^[-+]?0b")
"""Numbers of YAML 1.1, such as 1_000."""
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"


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

    The words are those of YAML 1.2: `1e-3` is a number, and `yes`, `on`, `1:30` and `2026-01-31` are texts.

    >>> parse("{methods: [sfa, {name: knn, k: 5}], C: 1e-3, flip: on}")
    {'methods': ['sfa', {'name': 'knn', 'k': 5}], 'C': 0.001, 'flip': 'on'}

    Raises:
        NotPlainError: when it is no YAML, asks for objects, has a key twice or a number that is not finite, or would
            grow beyond `MOST` values or `DEEPEST` levels, which is noticed before it does.
    """
    if len(text) > LARGEST:
        msg = f"expected at most {LARGEST:,} characters, got {len(text):,}"
        raise NotPlainError(msg)
    try:
        _expect_small(_yaml().parse(text))
        return _yaml().load(text)
    except NotPlainError:
        raise
    except MarkedYAMLError as error:
        raise NotPlainError(f"not plain YAML data: {_told(error)}") from error
    except (YAMLError, ValueError) as error:
        raise NotPlainError(f"not plain YAML data: {printable(str(error))}") from error


def dump(value: Any) -> str:
    """Write a list or a mapping as YAML that `parse` reads back, keys sorted."""
    written = io.StringIO()
    yaml = _yaml()
    yaml.default_flow_style, yaml.width, yaml.Representer = False, sys.maxsize, _Representer
    yaml.dump(value, written)
    return written.getvalue()


def _yaml() -> YAML:
    """Reader and writer in Python alone, whatever extensions are installed."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    yaml.composer.warn_double_anchors = False  # the later one counts, as YAML has it
    return yaml


def _told(error: MarkedYAMLError) -> str:
    """Place and kind of a fault, without the parser's drawing of the line."""
    parts = [part for part in (error.context, error.problem) if part]
    mark = error.problem_mark or error.context_mark
    if mark is not None:
        begun = error.context_mark
        since = f" (begun on line {begun.line + 1})" if begun is not None and begun.line != mark.line else ""
        parts.insert(0, f"line {mark.line + 1}, column {mark.column + 1}{since}")
    return printable(": ".join(parts))


def _expect_small(events: Iterator[Event]) -> None:
    """Count what aliases stand for, one event after the other."""
    sizes: dict[str, int] = {}
    opened: list[tuple[str | None, int]] = []
    total = 0
    for event in events:
        assert event.start_mark is not None
        line = event.start_mark.line + 1
        if isinstance(event, DocumentStartEvent) and event.version not in {None, (1, 2)}:
            msg = f"expected YAML 1.2, got {'.'.join(map(str, event.version))}; leave the line %YAML out"
            raise NotPlainError(msg)
        if isinstance(event, CollectionStartEvent):
            opened.append((event.anchor, total))
            if len(opened) > DEEPEST:
                msg = f"line {line}: expected at most {DEEPEST} lists and mappings in each other"
                raise NotPlainError(msg)
            total += 1
        elif isinstance(event, CollectionEndEvent):
            anchor, before = opened.pop()
            if anchor is not None:
                sizes[anchor] = total - before
        elif isinstance(event, ScalarEvent):
            size = 1 + len(event.value) // 64
            total += size
            if event.anchor is not None:
                sizes[event.anchor] = size
        elif isinstance(event, AliasEvent) and event.anchor is not None:
            if any(anchor == event.anchor for anchor, _ in opened):
                msg = f"line {line}: the alias *{printable(event.anchor, 80)} holds itself"
                raise NotPlainError(msg)
            total += sizes.get(event.anchor, 0)  # 0: the loader names an alias of nothing
        if total > MOST:
            msg = f"line {line}: expected at most {MOST:,} values with all aliases written out"
            raise NotPlainError(msg)


class _Constructor(SafeConstructor):
    """ruamel.yaml's constructor of data, which also refuses what a suite cannot mean."""

    def flatten_mapping(self, node: MappingNode) -> None:
        """Write out merges (`<<`), whose keys may come again."""
        if node.merge is None:
            self._expect_distinct(node)
        super().flatten_mapping(node)

    def _expect_distinct(self, node: MappingNode) -> None:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, ScalarNode) or key_node.tag in {_TAG + "seq", _TAG + "map"}:
                raise _not_plain(key_node, "a list or a mapping is no key")
            key = _MERGE if key_node.tag == _MERGE else self.construct_object(key_node)
            if key in seen:
                line = key_node.start_mark.line + 1
                msg = f"line {line}: the key {printable(key_node.value, 80)!r} comes twice; keep one"
                raise NotPlainError(msg)
            seen.add(key)

    def construct_non_recursive_object(self, node: Node, tag: str | None = None) -> Any:
        """Construct a value; one that is not what its tag says is named with its line."""
        try:
            return super().construct_non_recursive_object(node, tag)
        except NotPlainError:
            raise
        except (IndexError, KeyError, ValueError) as error:
            raise _not_plain(
                node, f"{printable(str(node.value), 80)!r} is no {str(node.tag).rpartition(':')[2]}"
            ) from error

    def construct_yaml_int(self, node: ScalarNode) -> Any:
        """Construct a whole number; what is one in YAML 1.1 alone is a text."""
        if _OLD_NUMBER.search(node.value):
            return self.construct_yaml_str(node)
        if len(node.value) > _DIGITS:
            raise ValueError
        return super().construct_yaml_int(node)

    def construct_yaml_float(self, node: ScalarNode) -> Any:
        """Construct a finite number; what is one in YAML 1.1 alone is a text."""
        if _OLD_NUMBER.search(node.value):
            return self.construct_yaml_str(node)
        value: float = super().construct_yaml_float(node)
        if not math.isfinite(value):
            msg = f"line {node.start_mark.line + 1}: expected a finite number, got {printable(node.value, 80)}"
            raise NotPlainError(msg)
        return value

    def construct_yaml_str(self, node: Node) -> str:
        """Construct a text without halves of characters."""
        value: str = super().construct_yaml_str(node)
        try:
            value.encode()
        except UnicodeEncodeError:
            shown = printable(value, 80)
            msg = f"line {node.start_mark.line + 1}: expected text, got half of a character in {shown!r}"
            raise NotPlainError(msg) from None
        return value

    def construct_undefined(self, node: Node) -> None:
        """Refuse what is no data."""
        raise _not_plain(node, f"the tag {printable(str(node.tag), 80)} asks for an object")


class _Representer(SafeRepresenter):
    """ruamel.yaml's writer of data, which also escapes rare line breaks."""

    def represent_str(self, data: str) -> ScalarNode:
        return self.represent_scalar(_TAG + "str", data, style=None if data.isprintable() else '"')


_Representer.add_representer(str, _Representer.represent_str)


def _not_plain(node: Node, why: str) -> NotPlainError:
    return NotPlainError(f"not plain YAML data: line {node.start_mark.line + 1}: {why}")


_Constructor.yaml_constructors = {
    None: _Constructor.construct_undefined,
    **{
        _TAG + name: getattr(_Constructor, f"construct_yaml_{name}")
        for name in ("null", "bool", "int", "float", "seq", "map", "str")
    },
    **{_TAG + name: _Constructor.construct_yaml_str for name in ("timestamp", "value")},  # YAML 1.2 has neither
}
