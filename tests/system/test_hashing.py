"""Source hashes change when the code that computes a result does."""

from __future__ import annotations

import sys

import pytest

from harness.system import hashing


@pytest.fixture
def package(tmp_path, monkeypatch):
    folder = tmp_path / "hashed_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "used.py").write_text("from . import deeper\n")
    (folder / "deeper.py").write_text("VALUE = 1\n")
    (folder / "unused.py").write_text("VALUE = 1\n")
    (folder / "method.py").write_text(
        "from typing import TYPE_CHECKING\nfrom .used import x\nif TYPE_CHECKING:\n    from . import unused\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield folder
    for name in [name for name in sys.modules if name.startswith("hashed_package")]:
        del sys.modules[name]


def fresh_hash() -> str:
    hashing._path.cache_clear()
    hashing._imports.cache_clear()
    return hashing.source_hash("hashed_package.method")


@pytest.mark.parametrize(
    ("file", "changes"), [("method.py", True), ("used.py", True), ("deeper.py", True), ("unused.py", False)]
)
def test_a_change_counts_where_it_is_imported(package, file, changes):
    before = fresh_hash()
    with (package / file).open("a") as source:
        source.write("# changed\n")
    assert (fresh_hash() != before) == changes


def test_the_core_that_is_imported_counts():
    assert "harness.errors" in hashing._closure("harness.plugins.registry")
    assert "harness.cli.app" not in hashing._closure("harness.plugins.registry")
