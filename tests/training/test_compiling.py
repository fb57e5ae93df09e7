"""`torch.compile` of a loss: the same weights, the same random numbers, one line where it cannot be."""

from __future__ import annotations

import contextlib
import shutil

import pytest
import torch
from torch import nn

from harness.errors import UsageError
from harness.execution.verification import TOLERANCE
from harness.testing.fixtures import TinyBackbone
from harness.training import compiling
from harness.training.session import TrainingSession
from harness.values import Batch, Budget

COMPILER = next((name for name in ("g++", "clang++", "c++") if shutil.which(name)), None)


class Dropped(nn.Module):
    """A network with dropout before its classifier."""

    def __init__(self):
        super().__init__()
        self.network = TinyBackbone().build(seed=0)
        self.dropout = nn.Dropout(0.5)
        self.head = nn.Linear(TinyBackbone.card.dim, 4)

    def forward(self, clips, labels):
        logits = self.head(self.dropout(self.network(clips)))
        return nn.functional.cross_entropy(logits, labels)


def train(*, compiled):
    torch.manual_seed(0)
    loss = Dropped()
    generator = torch.Generator().manual_seed(1)
    clips = torch.randint(256, (8, 3, 8, 32, 32), generator=generator, dtype=torch.uint8)
    batch = Batch(clips, torch.arange(8) % 4)
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.05, momentum=0.9)
    session = TrainingSession(Budget(frames=0, seed=0), name="dropped", compiled=compiled)
    session.train(loss, TinyBackbone.inputs, lambda _: batch, steps=12, optimizer=optimizer)
    return loss


@pytest.mark.skipif(COMPILER is None, reason="needs a compiler of C++")
@pytest.mark.filterwarnings("ignore")  # those of the compiler are no business of ours
def test_compiled_it_learns_the_same():
    eager, compiled = (train(compiled=compiled) for compiled in (False, True))
    assert {*compiled.state_dict()} == {*eager.state_dict()}
    moved = torch.cat([(one - other).flatten() for one, other in pairs(eager, Dropped())])
    apart = torch.cat([(one - other).flatten() for one, other in pairs(eager, compiled)])
    assert float(moved.norm()) > 0.1
    assert float(apart.norm() / moved.norm()) < TOLERANCE  # other random numbers in dropout are far above it
    assert not hasattr(compiled, "_orig_mod")


def pairs(one, other):
    states = one.state_dict(), other.state_dict()
    return [(states[0][name].double(), states[1][name].double()) for name in states[0]]


@pytest.mark.filterwarnings("ignore")
def test_where_it_cannot_be_compiled_one_line_says_so():
    from torch._inductor import config

    torch.compiler.reset()
    without = config.patch({"cpp.cxx": ("/nowhere/g++",), "force_disable_caches": True})
    refused = pytest.raises(
        UsageError, match=r"^--compile: torch.compile cannot compile the loss of 'dropped' .*leave it"
    )
    with without, refused:
        train(compiled=True)
    torch.compiler.reset()


@pytest.mark.filterwarnings("ignore")
def test_wrong_gradients_are_refused(monkeypatch):
    def wrong(function, **_):
        return lambda clips, labels: function(clips, labels) + function(clips, labels.flip(0)) / 2

    monkeypatch.setattr(torch, "compile", wrong)
    with pytest.raises(UsageError, match=r"^--compile: torch.compile computes the loss of 'dropped' wrongly here"):
        train(compiled=True)


def test_the_comparison_changes_nothing(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    eager, compared = (train(compiled=compiled).state_dict() for compiled in (False, True))
    assert all(torch.equal(eager[name], compared[name]) for name in eager)


def test_a_comparison_on_the_cpu_leaves_gpus_alone(monkeypatch):
    forked = []
    monkeypatch.setattr(torch.random, "fork_rng", lambda devices=None: contextlib.nullcontext(forked.append(devices)))
    loss = nn.Linear(2, 1)
    compiling._compare(loss, loss, (torch.ones(3, 2),), "linear")
    assert forked == [[], []]
