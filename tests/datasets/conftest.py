"""Footage to lay out as the data sets of the papers are published, and a machine that knows no data set yet."""

from __future__ import annotations

import pytest

from harness.datasets import index, locations


@pytest.fixture
def footage(drawn):
    """Its files by class: {"Backflip": [path, ...], ...}."""
    return {folder.name: sorted(folder.iterdir()) for folder in sorted((drawn / "videos").iterdir())}


@pytest.fixture(autouse=True)
def fresh(tmp_path, monkeypatch):
    """A `$HARNESS_HOME` and a configuration of their own."""
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HARNESS_CONFIG", str(tmp_path / "config" / "datasets.yaml"))


@pytest.fixture
def place(monkeypatch):
    """Says where a data set lies: `place("ucf101", folder)`."""
    return lambda name, folder: monkeypatch.setenv(locations.variable(name), str(folder))


@pytest.fixture
def in_process(monkeypatch):
    """Files are looked at in this process: starting workers costs seconds. `test_index.py` tests the workers."""
    monkeypatch.setattr(
        index, "_inspected", lambda folder, names: ((name, index.inspect(folder / name)) for name in names)
    )
