"""A home for trajectories, for tests that need them."""

from __future__ import annotations

import pytest

from harness.training.session import TrainingSession
from harness.values import Budget


@pytest.fixture(autouse=True)
def home(tmp_path_factory, monkeypatch):
    """A home for trajectories that tests share, away from the user's."""
    folder = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("HARNESS_HOME", str(folder))
    return folder


@pytest.fixture
def session():
    """Maker of sessions with a budget of so many frames."""

    def make(frames=768, folder=None, seed=0):
        return TrainingSession(Budget(frames=frames, seed=seed), name="midlevel", folder=folder)

    return make
