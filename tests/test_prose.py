"""First lines of docstrings: short, and plain verbs or nouns."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LONGEST = 80
CLAUSE = re.compile(r"(and|as|but|how|of|that|what|when|where|whether|which|whose?)\b", re.IGNORECASE)


def docs(tree):
    """Line and text of every docstring, those of attributes too."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for before, statement in zip([None, *body], body, strict=False):
            if not (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)):
                continue
            text = statement.value.value
            if isinstance(text, str) and (isinstance(before, ast.Assign | ast.AnnAssign) or documented):
                yield statement.lineno, text.strip()


def offences(source):
    """Line and fault of each docstring whose first line is long or opens with a clause."""
    for line, text in docs(ast.parse(source)):
        first = text.partition("\n")[0]
        if len(first) > LONGEST:
            yield line, f"{len(first)} characters, {LONGEST} at most: {first}"
        if CLAUSE.match(first):
            yield line, f"opens with a clause: {first}"


def test_docstrings_are_short_and_plain():
    paths = [path for folder in (ROOT / "harness", *ROOT.glob("plugins/*/src")) for path in folder.rglob("*.py")]
    assert len(paths) > 100
    faults = [
        f"{path.relative_to(ROOT)}:{line}: {fault}"
        for path in sorted(paths)
        for line, fault in offences(path.read_text(encoding="utf-8"))
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("source", "count"),
    [
        ('"""Build the samples to cluster."""', 0),
        (f'"""{"x" * 80}"""', 0),
        (f'"""{"x" * 81}"""', 1),
        ('"""What is clustered."""', 1),
        ('class A:\n    """As the other."""', 1),
        ('class A:\n    x: int\n    """Of the whole."""', 1),
        ('def f():\n    """Whether it is."""', 1),
        ('x = 1\n"""Which one it is."""', 1),
        ('class A:\n    def _f(self):\n        """\n        How it is done.\n        """', 1),
        ('"""Of"""', 1),
        ('"""Official numbers, whatever they are."""', 0),
    ],
)
def test_an_offence_is_seen(source, count):
    assert len(list(offences(source))) == count
