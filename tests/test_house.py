"""The shape of the house, where import-linter cannot see it."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_the_root_has_few_modules():
    modules = {path.name for path in (ROOT / "harness").glob("*.py")} - {"__init__.py", "__main__.py"}
    assert 0 < len(modules) <= 6


def test_imports_and_types_of_every_plugin_are_checked():
    tomllib = pytest.importorskip("tomllib", reason="part of Python since 3.11")
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]
    packages = {"harness", *(path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py"))}
    assert len(packages) > 1
    assert set(tools["importlinter"]["root_packages"]) == packages
    assert set(tools["mypy"]["packages"]) == packages
    assert set(tools["ruff"]["lint"]["isort"]["known-first-party"]) == packages
