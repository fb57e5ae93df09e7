"""Methods: conformance, too little data, the suite."""

from __future__ import annotations

import numpy as np
import pytest

from harness.errors import DataError, UsageError
from harness.execution.plan import check
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness.testing import TinyBackbone, conformance
from harness.training.session import TrainingSession
from harness.values import Budget
from harness_dense_trajectories.methods import IdtBow, IdtFv
from harness_dense_trajectories.tables import Tables
from harness_dense_trajectories.trajectories import WIDTH

TABLE = np.random.default_rng(0).normal(size=(20, WIDTH)).astype(np.float32)


@conformance(IdtFv(components=2))
def test_conformance(check):
    check()


@conformance(IdtBow(words=20))
def test_conformance_of_bags_of_words(check):
    check()


def test_too_few_trajectories(squares):
    session = TrainingSession(Budget(frames=400, seed=0))
    with pytest.raises(DataError, match="fewer than the 100000 components or words"):
        IdtFv(components=100_000).fit(TinyBackbone(), squares.split("train").unlabelled(), session)


@pytest.mark.parametrize("option", ["videos", "samples"])
def test_nothing_to_fit_on_is_refused(option):
    with pytest.raises(UsageError, match="must be at least 1, got"):
        IdtFv(**{option: 0})


def test_the_encoding_is_fitted_on_so_many_videos(squares, monkeypatch):
    drawn = []
    monkeypatch.setattr(Tables, "load", lambda _, split, chosen: drawn.append(chosen) or [TABLE] * len(chosen))
    for videos in (3, 10**6):
        session = TrainingSession(Budget(frames=10**9, seed=0))
        IdtFv(components=2, videos=videos).fit(TinyBackbone(), squares.split("train").unlabelled(), session)
    few, all_of_them = drawn
    assert few == all_of_them[:3]
    assert sorted(all_of_them) == list(range(len(squares.split("train"))))


def test_the_suite_can_be_planned():
    plugins = Plugins()
    suite = load("idt", plugins.suites)
    check(suite, plugins)
    assert [choice.label for choice in suite.methods if choice.name == "idt_fv"] == [
        "idt_fv(components=64)",
        "idt_fv(compensate=False, components=64)",
        "idt_fv(components=64, flow=farneback)",
        "idt_fv(components=64, encoding=separate)",
    ]
    assert "idt_bow(words=500)" in [choice.label for choice in suite.methods]
