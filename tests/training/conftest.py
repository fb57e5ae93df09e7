"""Settings under which fits in several processes can be compared."""

from __future__ import annotations

import pytest
import torch

from harness.training import checkpoints


@pytest.fixture
def one_thread():
    """Compute as processes do that `torchrun` starts beside each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def often(monkeypatch):
    """Store a checkpoint at every look at the clock."""
    monkeypatch.setattr(checkpoints, "SECONDS", 0.0)
