"""Official folds of a data set, which a suite may name together to average them."""

from __future__ import annotations

from collections.abc import Iterator

from harness.errors import UsageError
from harness.store.choices import Choice
from harness.store.records import Average

FOLD = "fold"


def folds(choice: Choice) -> tuple[Choice, ...]:
    """Choices of each fold that a choice names.

    >>> [one.label for one in folds(Choice(name="ucf101", options={"fold": [1, 2]}))]
    ['ucf101(fold=1)', 'ucf101(fold=2)']

    Raises:
        UsageError: when it names none.
    """
    chosen = choice.options.get(FOLD)
    if not isinstance(chosen, list):
        return (choice,)
    if not chosen:
        msg = f"{choice.name}: fold: [] names no fold; name one or several, or leave it out"
        raise UsageError(msg)
    return tuple(choice.model_copy(update={"options": {**choice.options, FOLD: fold}}) for fold in chosen)


def paired(pretraining: Choice, data: Choice) -> Iterator[tuple[Choice, Choice, Average | None]]:
    """Pairs of a training and a test fold, and what their average is called.

    Raises:
        UsageError: when both name several folds, and not the same.
    """
    learnt, measured = folds(pretraining), folds(data)
    if len(learnt) == len(measured) == 1:
        yield learnt[0], measured[0], None
        return
    if len(learnt) > 1 and len(measured) > 1 and pretraining.options[FOLD] != data.options[FOLD]:
        msg = f"{pretraining.label} and {data.label}: expected the same folds to learn from and to measure on"
        raise UsageError(msg)
    count = max(len(learnt), len(measured))
    average = Average(pretraining=pretraining, data=data)
    for one, other in zip(learnt * (count // len(learnt)), measured * (count // len(measured)), strict=True):
        yield one, other, average
