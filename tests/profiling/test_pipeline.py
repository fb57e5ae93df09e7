"""Where a clip's time goes, when that is known."""

from __future__ import annotations

import dataclasses
import time

import pytest
import torch
from torch import nn

from harness.cards import WholeVideo
from harness.errors import DataError, UsageError
from harness.profiling import pipeline
from harness.profiling.pipeline import measure, train_head
from harness.system.environment import hardware
from harness.testing import MovingSquares
from harness.testing.fixtures import TinyBackbone
from harness.video import frame_cache

STAGES = ["decode", "transform", "transfer", "model"]


class Sleeping(nn.Module):
    """A network that takes its time for every clip."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds = seconds

    def forward(self, clips):
        time.sleep(self.seconds * len(clips))
        return clips.mean((2, 3, 4))


class SleepingBackbone:
    card = dataclasses.replace(TinyBackbone.card, dim=3)
    inputs = TinyBackbone.inputs

    def __init__(self, seconds):
        self.seconds = seconds

    def build(self, *, seed):
        return Sleeping(self.seconds)


class SlowSplit:
    """A split in memory that takes its time for every video."""

    def __init__(self, split, seconds):
        self.split, self.seconds = split, seconds

    def __getattr__(self, name):
        return getattr(self.split, name)

    def __len__(self):
        return len(self.split)

    def read(self, *arguments, **options):
        time.sleep(self.seconds)
        return self.split.read(*arguments, **options)


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch):
    monkeypatch.setattr(frame_cache, "shared", frame_cache.FrameCache())


def test_files(tmp_path):
    found = measure(MovingSquares(tmp_path).split("train"), TinyBackbone(), batch_size=4, batches=3)
    assert list(found.milliseconds) == STAGES
    assert all(found.milliseconds[stage] > 0 for stage in ("decode", "transform", "model"))
    assert found.milliseconds["transfer"] == 0
    assert sum(found.shares.values()) == pytest.approx(1)
    assert found.frames_per_s > 100
    assert found.first.clips == found.later.clips == 12
    assert found.device == hardware("cpu")


def test_the_last_batch_may_be_smaller():
    found = measure(MovingSquares().split("train"), TinyBackbone(), batch_size=40, batches=3)
    assert found.first.clips == 48


def test_a_slow_network_waits_for_nothing():
    found = measure(MovingSquares().split("train"), SleepingBackbone(0.03), batch_size=2, batches=4)
    assert 30 < found.milliseconds["model"] < 300
    assert found.shares["model"] > 0.5
    assert found.later.waiting < 0.5
    assert found.first.clips_per_s <= 1 / 0.03


def test_a_network_waits_for_slow_data(monkeypatch):
    monkeypatch.setattr(pipeline, "REPEATS", 2)
    slow = SlowSplit(MovingSquares().split("train"), 0.05)
    found = measure(slow, SleepingBackbone(0), batch_size=4, batches=2)
    assert 50 < found.milliseconds["decode"] < 500
    assert found.shares["decode"] > 0.5
    assert found.frames_per_s == 0  # there are no files
    assert found.first.waiting > 0.5
    assert found.first.clips_per_s < 1.2 * pipeline.THREADS / 0.05


def test_nothing_to_measure():
    split = MovingSquares().split("train")
    with pytest.raises(DataError, match="no videos"):
        measure(dataclasses.replace(split, videos=(), frames=()), TinyBackbone())
    with pytest.raises(UsageError, match="at least 1 batch"):
        measure(split, TinyBackbone(), batches=0)

    class Whole(TinyBackbone):
        inputs = dataclasses.replace(TinyBackbone.inputs, view=WholeVideo())

    with pytest.raises(UsageError, match="expected a view of clips"):
        measure(split, Whole())


def test_a_head_on_cached_features_hardly_waits(monkeypatch):
    monkeypatch.setattr(pipeline, "STEPS", 100)
    found = [train_head(torch.randn(2000, 512), torch.randint(0, 50, (2000,))) for _ in range(5)]
    assert 0 < min(one.waiting for one in found) < 0.1  # other work makes it wait longer, never shorter
    assert {one.clips for one in found} == {100 * 256}


def test_slow_features_are_waited_for(monkeypatch):
    monkeypatch.setattr(pipeline, "STEPS", 5)
    draw = torch.randperm
    monkeypatch.setattr(torch, "randperm", lambda *a, **k: (time.sleep(0.02), draw(*a, **k))[1])
    found = train_head(torch.randn(20, 8), torch.arange(20) % 4)  # one batch makes an epoch
    assert found.clips == 5 * 20
    assert found.waiting > 0.2  # much more on an idle machine
    assert found.clips_per_s < 20 / 0.02
