"""A home for frame maps, and one thread, for tests that need them."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home that tests share, away from the user's."""
    folder = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("HARNESS_HOME", str(folder))
    return folder


@pytest.fixture
def one_thread():
    """One thread, for sums in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
