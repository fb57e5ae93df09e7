"""Methods: conformance, too little data, the suite."""

from __future__ import annotations

import pytest

from harness.errors import DataError
from harness.execution.plan import check
from harness.plugins.manager import Plugins
from harness.suites.schema import load
from harness.testing import TinyBackbone, conformance
from harness.training.session import TrainingSession
from harness.values import Budget
from harness_dense_trajectories.methods import IdtBow, IdtFv


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
