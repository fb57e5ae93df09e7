"""What tests of runs and of the command line share: a store of their own, and a third party's plugin installed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TOY = Path(__file__).parent / "toy_plugin"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An empty `$HARNESS_HOME`."""
    folder = tmp_path / "home"
    monkeypatch.setenv("HARNESS_HOME", str(folder))
    return folder


@pytest.fixture
def toy(home, monkeypatch, tmp_path):
    """The toy plugin installed, here and in child processes; gives the log of its fits."""
    log = tmp_path / "fits.log"
    log.touch()
    monkeypatch.setenv("TOY_LOG", str(log))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(TOY), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.syspath_prepend(TOY)
    return log
