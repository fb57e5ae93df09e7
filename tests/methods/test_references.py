"""The two references."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from harness.encoders.frozen import CachedEncoder
from harness.errors import DataError, UsageError
from harness.evaluators.linear import LinearProbe
from harness.methods.random_init import RandomInit
from harness.methods.supervised import Classifier, Supervised
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


def test_a_hidden_layer_is_learnt_and_left_out_of_the_encoder():
    train, backbone = MovingSquares().split("train"), TinyBackbone()
    method, session = Supervised(hidden=8, batch_size=16), TrainingSession(Budget(frames=800, seed=0))
    loss = method.build_loss(backbone.build(seed=0), backbone.card.dim, train)
    before = {name: tensor.clone() for name, tensor in loss.head.state_dict().items()}
    assert {name: tuple(tensor.shape) for name, tensor in before.items()} == {
        "0.weight": (8, 16),
        "0.bias": (8,),
        "2.weight": (4, 8),
        "2.bias": (4,),
    }
    method.train(loss, backbone.inputs, train, session)
    assert not any(torch.equal(tensor, before[name]) for name, tensor in loss.head.state_dict().items())
    assert method.fit(backbone, train, session).module.state_dict().keys() == backbone.build(seed=0).state_dict().keys()


def test_logits_of_a_hidden_layer_are_its_formula():
    with torch.random.fork_rng():
        loss = Classifier(nn.Flatten(), 12, 4, 0.0, hidden=8)
    clips = torch.randn(5, 12, 1, 1, 1, generator=torch.Generator().manual_seed(0))
    inner, _, outer = loss.head
    hidden = (clips.flatten(1) @ inner.weight.T + inner.bias).clamp(min=0)
    torch.testing.assert_close(loss.logits(clips), hidden @ outer.weight.T + outer.bias)


def test_a_hidden_layer_of_negative_size():
    with pytest.raises(UsageError, match="hidden must be at least 0, got -1"):
        Supervised(hidden=-1)
