"""The training loop: divergence is told, and nothing is left behind."""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import nn

from harness.errors import DivergedError
from harness.testing.brightness import PredictBrightness, fit_brightness
from harness.testing.fixtures import TinyBackbone
from harness.training.session import TrainingSession
from harness.values import Batch, Budget


def test_nothing_is_left_behind(tmp_path, capfd):
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002 - the global state is what must not change
    random.seed(3)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    threads = threading.active_count(), torch.get_num_threads()
    fit_brightness(PredictBrightness(), tmp_path)
    after = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    assert (threading.active_count(), torch.get_num_threads()) == threads
    out, err = capfd.readouterr()
    assert out == ""
    assert "fitting brightness" in err


@dataclass(kw_only=True)
class Spoiled(PredictBrightness):
    spoilt: int = 0
    """The batch whose target is NaN."""

    def draw(self, *arguments):
        batch = super().draw(*arguments)
        if len(self.drawn) == self.spoilt + 1:
            batch.targets[0] = float("nan")
        return batch


@pytest.mark.parametrize("step", [0, 7, 49])
def test_a_loss_that_is_no_number_is_divergence(step):
    with pytest.raises(DivergedError, match="'brightness' diverged: its loss became nan between steps"):
        fit_brightness(Spoiled(spoilt=step))


class Counter(nn.Module):
    """A loss that falls by the learning rate in each step."""

    def __init__(self):
        super().__init__()
        self.network = TinyBackbone().build(seed=0)
        self.down = nn.Parameter(torch.zeros(()))
        self.register_buffer("epochs", torch.zeros((), dtype=torch.int64))
        self.seen = []

    def forward(self, clips):
        self.seen.append(float(self.down.detach()))
        return self.down + 0 * self.network(clips).sum()


def train(schedule, **options):
    loss = Counter()
    session = TrainingSession(Budget(frames=0, seed=0))
    clips = torch.zeros(2, 3, 8, 32, 32, dtype=torch.uint8)
    optimizer = torch.optim.SGD([loss.down], lr=1.0)
    session.train(
        loss, TinyBackbone.inputs, lambda _: Batch(clips), steps=6, optimizer=optimizer, schedule=schedule, **options
    )
    rates = -torch.tensor([*loss.seen, float(loss.down.detach())]).diff()
    return loss, rates


def test_the_rate_is_a_tenth_after_each_of_some_steps():
    torch.testing.assert_close(train((2, 4))[1], torch.tensor([1.0, 1.0, 0.1, 0.1, 0.01, 0.01]))
    torch.testing.assert_close(train(())[1], torch.ones(6))


def test_the_rate_falls_to_zero_like_a_cosine():
    torch.testing.assert_close(train("cosine")[1], (1 + torch.cos(torch.pi * torch.arange(6) / 6)) / 2)


def test_an_epoch_begins_in_training_mode_whatever_was_done_before_it():
    started = []

    def start_epoch(epoch):
        started.append((epoch, len(loss.seen)))
        loss.eval()

    loss = None

    class Watched(Counter):
        def __init__(self):
            nonlocal loss
            super().__init__()
            loss = self

        def forward(self, clips):
            assert self.training
            return super().forward(clips)

    session = TrainingSession(Budget(frames=0, seed=0))
    clips = torch.zeros(2, 3, 8, 32, 32, dtype=torch.uint8)
    watched = Watched()
    session.train(
        watched,
        TinyBackbone.inputs,
        lambda _: Batch(clips),
        steps=5,
        optimizer=torch.optim.SGD([watched.down], lr=1.0),
        epoch=2,
        start_epoch=start_epoch,
    )
    assert started == [(0, 0), (1, 2), (2, 4)]
