"""The two references."""

from __future__ import annotations

import pytest
import torch

from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError
from harness.evaluators.linear import LinearProbe
from harness.methods.random_init import RandomInit
from harness.methods.supervised import Supervised
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Budget


def probe(encoder):
    (score, *_) = LinearProbe().evaluate(CachedEncoder(encoder, key="x"), MovingSquares(), seed=0).scores
    return score.value


def test_random_init_is_the_backbones_network():
    session = TrainingSession(Budget(frames=1, seed=5))
    encoder = RandomInit().fit(TinyBackbone(), MovingSquares().split("train").unlabelled(), session)
    built = TinyBackbone().build(seed=5).state_dict()
    assert all(torch.equal(tensor, built[name]) for name, tensor in encoder.module.state_dict().items())


def test_labels_help():
    train, backbone = MovingSquares().split("train"), TinyBackbone()
    supervised = Supervised(batch_size=16).fit(backbone, train, TrainingSession(Budget(frames=16_000, seed=0)))
    untrained = RandomInit().fit(backbone, train, TrainingSession(Budget(frames=16_000, seed=0)))
    assert probe(supervised) > probe(untrained) + 0.2


def test_supervised_needs_its_label():
    session = TrainingSession(Budget(frames=800, seed=0))
    with pytest.raises(DataError, match="no label 'scene'; it has: action"):
        Supervised(label="scene").fit(TinyBackbone(), MovingSquares().split("train"), session)
