"""What a card has to say, kind by kind."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import pytest

from harness.cards import MethodCard, Metric, Paper
from harness.evaluators.cards import KNN
from harness.testing import MovingSquares, TinyBackbone, checks_for, failures

PAPER = Paper(title="Title", authors="A", year=2020, venue="V")
METHOD = MethodCard(name="x", summary="One line.", paper=PAPER)
TOP1 = KNN.metrics[0]


def found(kind, card):
    """What `check_card` says of an object of this kind with this card; None when it passes."""
    attribute = {"method": "fit", "backbone": "build", "data set": "split", "evaluator": "evaluate"}[kind]
    tested = type("Tested", (), {"card": card, attribute: None})()
    (check, *_) = checks_for(tested)
    assert check.name == "check_card"
    outcome = check.subject.outcome(check.function)
    return None if outcome is None else str(outcome)


@pytest.mark.parametrize(
    ("kind", "card"),
    [("method", METHOD), ("backbone", TinyBackbone.card), ("data set", MovingSquares.card), ("evaluator", KNN)],
)
def test_a_complete_card_passes(kind, card):
    assert found(kind, card) is None


def test_a_card_of_more_fields_and_with_lists_passes():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Longer(MethodCard):
        more: str = ""

    assert found("method", Longer(name="x", summary="One line.", paper=PAPER)) is None
    assert found("evaluator", replace(KNN, metrics=[replace(TOP1, bounds=[0.0, 1.0])])) is None


@pytest.mark.parametrize(
    ("kind", "card", "message"),
    [
        ("method", replace(METHOD, summary="Two\nlines."), "a summary of one line of at most 200 characters, got 10"),
        ("method", replace(METHOD, summary="long " * 50), "got 250 characters in 1 lines"),
        ("method", replace(METHOD, licence=""), "MethodCard.licence is empty"),
        ("method", replace(METHOD, paper=replace(PAPER, venue="")), "Paper.venue is empty"),
        ("method", TinyBackbone.card, "Tested.card to be a MethodCard, got BackboneCard(name='tiny'"),
        ("method", None, "Tested.card to be a MethodCard, got None"),
        ("backbone", replace(TinyBackbone.card, dim=0), "a positive dim, got 0"),
        ("data set", replace(MovingSquares.card, splits=("test", "test")), "each named once"),
        ("data set", replace(MovingSquares.card, labels=("action", "action")), "each named once, got (("),
        ("evaluator", replace(KNN, protocol=""), "EvaluatorCard.protocol is empty"),
        ("evaluator", replace(KNN, needs=frozenset()), "EvaluatorCard.needs is empty"),
        ("evaluator", replace(KNN, metrics=(TOP1, TOP1)), "metrics with different ids, got ['top1', 'top1']"),
        ("evaluator", replace(KNN, metrics=(replace(TOP1, bounds=(1.0, 0.0)),)), "a lower bound below the upper"),
        ("evaluator", replace(KNN, metrics=(replace(TOP1, statistic="acuracy"),)), "got 'acuracy'"),
        ("evaluator", replace(KNN, metrics=(replace(TOP1, unit="s"),)), "the card has metrics.0.unit = 's': Input"),
        ("evaluator", replace(KNN, metrics=(replace(TOP1, bounds=(0.0, math.inf)),)), "NaN or infinity in metrics"),
        ("evaluator", replace(KNN, needs=frozenset({"vectors"})), "has needs.0 = 'vectors'"),
        ("method", replace(METHOD, reads=frozenset({"sed"})), "has reads.0 = 'sed'"),
        ("method", replace(METHOD, supervised="no"), "has supervised = 'no'; write False"),
        ("backbone", replace(TinyBackbone.card, dim="16"), "has dim = '16'; write 16"),
        ("method", replace(METHOD, deviations="text"), "has deviations = 'text'"),
        ("method", replace(METHOD, paper=asdict(PAPER)), "has paper = {"),
        ("evaluator", replace(KNN, metrics=(asdict(TOP1),)), "has metrics.0 = {"),
        ("method", replace(METHOD, deviations={"text"}), "has deviations = {'text'}"),
    ],
)
def test_a_card_that_is_not_is_found(kind, card, message):
    assert message in found(kind, card)


def test_without_a_card_nothing_else_can_be_checked():
    class Bare:
        def fit(self, backbone, train, session):
            raise NotImplementedError

    assert list(failures(Bare())) == ["check_card"]
    assert [check.name for check in checks_for(Bare())] == ["check_card"]
    assert "method 'Bare' fails check_card: expected Bare.card to be a MethodCard" in failures(Bare())["check_card"]


def test_bounds_may_be_open():
    metric = Metric(id="bits", title="Bits", unit="bits", higher_is_better=False)
    assert found("evaluator", replace(KNN, metrics=(metric,))) is None
