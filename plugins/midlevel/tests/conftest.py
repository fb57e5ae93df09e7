"""What tests share: a home for trajectories, sessions, and small trainings."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.training.session import TrainingSession
from harness.values import Budget
from harness_midlevel.networks import Autoencoder
from harness_midlevel.training import Options, train_autoencoder, train_on_clusters


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


OPTIONS = Options(batch_size=16, lr=0.01)


@pytest.fixture
def tiny():
    """Maker of a linear autoencoder of 6 numbers by 3, drawn from seed 0."""

    def make():
        torch.manual_seed(0)
        return Autoencoder(nn.Linear(6, 3), nn.Linear(3, 6), shape=(6,), dim=3)

    return make


@pytest.fixture
def blobs():
    """Maker of 40 samples (40, 6) around 4 centres, and their clusters."""

    def make():
        generator = torch.Generator().manual_seed(5)
        labels = torch.arange(40) % 4
        centres = 2 * torch.randn(4, 6, generator=generator)
        return centres[labels] + 0.5 * torch.randn(40, 6, generator=generator), labels

    return make


@pytest.fixture
def detectors():
    """Maker of a linear layer on a network's codes, drawn from seed 1."""

    def make(network, clusters=4):
        torch.manual_seed(1)
        return nn.Linear(network.dim, clusters)

    return make


@pytest.fixture
def pretrain():
    """Training of an autoencoder, by small options."""

    def train(network, samples, stage, *, epochs=10, options=OPTIONS, seed=0, **place):
        train_autoencoder(network, samples, stage, epochs=epochs, options=options, seed=seed, **place)

    return train


@pytest.fixture
def learn(blobs):
    """Training on the clusters of `blobs`, by small options."""

    def train(network, classifier, stage, *, loss="joint", epochs=10, options=OPTIONS, seed=0, rows=None, **place):
        samples, labels = blobs()
        rows = torch.arange(40) if rows is None else rows
        members = samples, rows, labels[rows]
        options = {"loss": loss, "epochs": epochs, "options": options, "seed": seed}
        train_on_clusters(network, classifier, *members, stage, **options, **place)

    return train
