"""Methods that train from given weights on."""

from __future__ import annotations

import pytest
import torch

from harness.backbones.start import Start
from harness.methods.start import WithStart
from harness.methods.supervised import Supervised
from harness.testing.clustering import ClusterRounds
from harness.testing.fixtures import MovingSquares, TinyBackbone
from harness.testing.kit import failures
from harness.training.session import TrainingSession
from harness.values import Budget


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "a.pth"
    torch.save({"state_dict": TinyBackbone().build(seed=7).state_dict()}, path)
    return Start(weights=str(path), learnt_from="squares", labels=False)


def test_a_training_without_steps_gives_the_weights(start):
    method = WithStart(Supervised(batch_size=1, lr=1e-30, weight_decay=0), start)
    session = TrainingSession(Budget(frames=TinyBackbone.inputs.view.frames, seed=0))
    module = method.fit(TinyBackbone(), MovingSquares().split("train"), session).module
    expected = dict(TinyBackbone().build(seed=7).named_parameters())
    assert all(torch.allclose(tensor, expected[name]) for name, tensor in module.named_parameters())


@pytest.mark.parametrize("method", [Supervised(batch_size=16), ClusterRounds()])
def test_methods_that_start_from_weights_pass_the_kit(start, method):
    assert failures(WithStart(method, start)) == {}
