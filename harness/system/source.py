"""Source of a module, without what changes no number."""

from __future__ import annotations

import ast
import functools
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_LEFT_OUT = frozenset({"annotation", "ctx", "kind", "returns", "type_comment", "type_params"})
"""Fields of nodes that are annotations, or repeat what is clear."""
_BY_NAME = frozenset(
    {"importlib", "importlib.import_module", "importlib.machinery", "importlib.util", "pkgutil", "runpy"}
)
"""Imports that reach modules which only a string names."""
_IMPORTERS = frozenset({"__import__", "find_spec", "import_module", "run_module"})
"""Functions whose first argument names a module."""
_CARDS = frozenset({"BackboneCard", "DatasetCard", "EvaluatorCard", "MethodCard"})
_CARD_PROSE = frozenset({"deviations", "licence", "paper", "summary"})
"""Keywords of cards that only people read."""
_PARSING = threading.Lock()
"""CPython 3.11 counts the depth of all threads' trees as one, and fails."""
_NAME = re.compile(r"[\w-]+([./][\w-]+)+")
"""Strings that may name a file beside the module, or a module."""


@dataclass(frozen=True, slots=True)
class Source:
    """Code, imports and names of one module."""

    code: bytes
    """Canonical form, the same in all versions of Python."""
    imports: tuple[tuple[int, str, str], ...]
    """Level, module and name of each import.

    The name is empty where the module itself is imported.
    """
    by_name: bool
    """True if it imports or runs what only a string names."""
    strings: frozenset[str]
    """Constants that may name a file or a module."""


def read_source(path: Path) -> Source:
    """Read the source of a module.

    Docstrings, comments, annotations, imports for type checkers and a card's words to people are left out. Remembered
    while the process lives, as long as size, times and inode of the file stay the same.

    Raises:
        SyntaxError: when it is no Python.
    """
    state = path.stat()
    return _read_source(path, state.st_size, state.st_mtime_ns, state.st_ino)


@functools.lru_cache(maxsize=4096)
def _read_source(path: Path, *_state: int) -> Source:
    with _PARSING:
        tree = ast.parse(path.read_bytes())
    reader = _Reader()
    reader.read(tree)
    return Source("".join(reader.code).encode(), tuple(reader.imports), reader.by_name, frozenset(reader.strings))


class _Reader:
    def __init__(self) -> None:
        self.code: list[str] = []
        self.imports: list[tuple[int, str, str]] = []
        self.by_name = False
        self.strings: set[str] = set()

    def read(self, node: object) -> None:
        """Write a node, a list of them, or a constant; note what it imports and names."""
        if isinstance(node, list):
            self.code.append("[")
            for child in _statements(node):
                self.read(child)
            self.code.append("]")
        elif isinstance(node, ast.AST):
            self._note(node)
            self.code.append(f"{type(node).__name__}(")
            for name, value in ast.iter_fields(_without_prose(node)):
                if name not in _LEFT_OUT and value is not None and value != []:
                    self.code.append(f"{name}=")
                    self.read(value)
            self.code.append(")")
        else:
            self.code.append(f"{node!r};")

    def _note(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            self.imports += [(0, alias.name, "") for alias in node.names]
            self.by_name |= any(alias.name in _BY_NAME for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            self.imports += [(node.level, node.module or "", alias.name) for alias in node.names]
            self.by_name |= any(f"{node.module}.{alias.name}" in _BY_NAME for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in _IMPORTERS and node.args:
            module = getattr(node.args[0], "value", None)
            self.imports += [(0, module, "")] if isinstance(module, str) and not module.startswith(".") else []
        elif isinstance(node, ast.Name):
            self.by_name |= node.id in {"__import__", "eval", "exec"}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAME.fullmatch(node.value):
            self.strings.add(node.value)


def _statements(nodes: list[Any]) -> Iterator[Any]:
    """Leave out docstrings, `pass` and what is done for type checkers only."""
    for node in nodes:
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            yield from _statements(node.orelse)
        elif not isinstance(node, ast.Pass) and not (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            yield node


def _without_prose(node: ast.AST) -> ast.AST:
    """Leave out of a call that makes a card what only people read."""
    if isinstance(node, ast.Call) and _name(node.func) in _CARDS:
        return ast.Call(node.func, node.args, [one for one in node.keywords if one.arg not in _CARD_PROSE])
    return node


def _name(node: ast.AST) -> str:
    return str(getattr(node, "id", "") or getattr(node, "attr", ""))
