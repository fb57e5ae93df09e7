"""Footage to lay out as the data sets of the papers are published, and a machine that knows no data set yet."""

from __future__ import annotations

import pytest
from torch import nn

from harness.cards import BackboneCard, View
from harness.datasets import file_index, locations
from harness.encoders.frozen import FrozenEncoder
from harness.encoders.network import NetworkEncoder
from harness.evaluators.pose import head as pose_head
from harness.system.seeding import seeded


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
        file_index, "_inspected", lambda folder, names: ((name, file_index.probe(folder / name)) for name in names)
    )


class Maps(nn.Module):
    """A feature map of stride 8."""

    def __init__(self):
        super().__init__()
        self.feature_map = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU())

    def forward(self, clips):
        return self.feature_map(clips[:, :, 0]).mean((2, 3))


@pytest.fixture
def maps(monkeypatch):
    """An encoder with a feature map, for a pose protocol that learns for two steps only."""
    monkeypatch.setattr(pose_head, "STEPS", 2)
    card = BackboneCard(name="maps", summary="a feature map", dim=8, view=View(frames=1, size=64), feature_map=True)
    with seeded(0):
        return FrozenEncoder(NetworkEncoder(Maps(), card), key="maps")
