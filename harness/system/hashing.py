"""Hashes of values, and of source code, so that changed code makes a new key."""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


def source_hash(target: type | str) -> str:
    """Hash the module that defines `target` and all that it imports.

    Imports count within the same package and from `harness`.

    Args:
        target: a class, or the dotted name of a module.

    >>> source_hash("harness.cards") == source_hash("harness.cards")
    True
    """
    module = target if isinstance(target, str) else target.__module__
    sha = hashlib.sha256()
    for name in sorted(_closure(module)):
        path = _path(name)
        if path is not None:
            sha.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()[:20]


def _closure(module: str) -> set[str]:
    packages = {module.partition(".")[0], "harness"}
    seen: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        waiting.extend(other for other in _imports(name) if other.partition(".")[0] in packages)
    return seen


@functools.cache
def _path(module: str) -> Path | None:
    """Source file of a module; None for an attribute or without source."""
    try:
        spec = importlib.util.find_spec(module)
    except (ModuleNotFoundError, ValueError):
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)


@functools.cache
def _imports(module: str) -> tuple[str, ...]:
    path = _path(module)
    if path is None:
        return ()
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    return tuple(_imported(ast.parse(path.read_text(encoding="utf-8")), package))


def _imported(tree: ast.Module, package: str) -> Iterator[str]:
    """List dotted names imported in `tree`, except for type checking only."""
    skipped = {id(child) for node in ast.walk(tree) if _typing_only(node) for child in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")
                base = ".".join([*parts[: len(parts) - node.level + 1], *([base] if base else [])])
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def digest(value: Mapping[str, Any]) -> str:
    """Hash JSON-like `value` to 20 hexadecimal digits, whatever the order of keys.

    >>> digest({"a": 1, "b": [2]}) == digest({"b": [2], "a": 1})
    True
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
