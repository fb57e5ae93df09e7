"""Conformance check of cards, the same for every kind of plugin."""

from __future__ import annotations

from typing import Any

from harness.cards import BackboneCard, DatasetCard, EvaluatorCard
from harness.functional.statistics import STATISTICS
from harness.plugins.registry import CARDS, wrong_value
from harness.testing.checking import Subject, UnmetError, expect


def check_card(subject: Subject[Any]) -> None:
    """The object has a complete card of its kind, not one of a base class."""
    kind, owner = CARDS[subject.kind], type(subject.tested)
    own = {**vars(owner), **getattr(subject.tested, "__dict__", {})}
    expect(
        "card" in own and isinstance(subject.tested.card, kind),
        expected=f"{owner.__name__}.card to be a {kind.__name__}",
        got=repr(own["card"]) if "card" in own else "no card in the body of the class",
        remedy=f"write `card: ClassVar[{kind.__name__}] = {kind.__name__}(...)` into the class",
    )
    card: Any = subject.tested.card
    if problem := wrong_value(card, kind):
        msg = f"the card {problem}"
        raise UnmetError(msg)
    expect(
        "\n" not in card.summary and len(card.summary) <= 200,
        expected="a summary of one line of at most 200 characters",
        got=f"{len(card.summary)} characters in {card.summary.count(chr(10)) + 1} lines",
        remedy="shorten it: `harness list` shows it in a table",
    )
    _filled(card, "licence")
    if card.paper is not None:
        for part in ("title", "authors", "year", "venue"):
            _filled(card.paper, part)
    if subject.kind in _OF_KIND:
        _OF_KIND[subject.kind](card)


def _filled(holder: object, part: str) -> None:
    if not getattr(holder, part):
        msg = f"the card's {type(holder).__name__}.{part} is empty; fill it in"
        raise UnmetError(msg)


def _backbone(card: BackboneCard) -> None:
    expect(card.dim >= 1, expected="a positive dim", got=card.dim, remedy="state the length of the vector")


def _dataset(card: DatasetCard) -> None:
    kinds = (*card.labels, *card.multilabels, *card.targets)
    expect(
        len(set(card.splits)) == len(card.splits) > 0 and len(set(kinds)) == len(kinds),
        expected="at least one split, and splits, kinds of labels and targets each named once",
        got=(card.splits, kinds),
        remedy="correct the card",
    )


def _evaluator(card: EvaluatorCard) -> None:
    _filled(card, "protocol")
    _filled(card, "needs")
    ids = [metric.id for metric in card.metrics]
    expect(len(set(ids)) == len(ids), expected="metrics with different ids", got=ids, remedy="rename one")
    for metric in card.metrics:
        low, high = metric.bounds
        expect(
            low is None or high is None or low < high,
            expected=f"metric {metric.id!r} to have a lower bound below the upper one",
            got=metric.bounds,
            remedy="give bounds=(lowest, highest), None where there is none",
        )
        expect(
            metric.statistic in ("", *STATISTICS),
            expected=f"metric {metric.id!r} to name a statistic among {', '.join(STATISTICS)}",
            got=repr(metric.statistic),
            remedy="leave it empty when the metric is not computed from per-video predictions",
        )


_OF_KIND: dict[str, Any] = {
    "backbone": _backbone,
    "data set": _dataset,
    "evaluator": _evaluator,
}
