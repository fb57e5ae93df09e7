"""Footage to lay out as the data sets of the papers are published, and a machine that knows no data set yet."""

from __future__ import annotations

import pytest
from torch import nn

from harness.backbones.per_frame import PerFrame
from harness.cards import View
from harness.datasets import file_index, locations
from harness.encoders.frozen import CachedEncoder
from harness.encoders.network import NetworkEncoder
from harness.evaluators.pose import head as pose_head
from harness.system.seeding import seeded
from harness.values import Inputs


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


@pytest.fixture
def maps(monkeypatch):
    """An encoder with a feature map of stride 8, for a pose protocol that learns for two steps only."""
    monkeypatch.setattr(pose_head, "STEPS", 2)
    with seeded(0):
        feature_map = nn.Sequential(nn.Conv2d(3, 8, 8, 8), nn.ReLU())
    network = PerFrame(feature_map, {"pool": nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())})
    encoder = NetworkEncoder(network, Inputs(view=View(frames=1, size=64)), spatial="feature_map")
    return CachedEncoder(encoder, key="maps")
