"""Folds that a suite averages: which training fold goes with which test fold."""

from __future__ import annotations

import pytest

from harness.errors import UsageError
from harness.store.choices import Choice
from harness.suites.folds import paired


def choice(name, fold=None):
    return Choice(name=name, options={} if fold is None else {"fold": fold})


@pytest.mark.parametrize(
    ("pretraining", "data", "pairs"),
    [
        (choice("a"), choice("a"), [(None, None)]),
        (choice("a", [2]), choice("a", [2]), [(2, 2)]),
        (choice("a", [1, 3]), choice("a", [1, 3]), [(1, 1), (3, 3)]),
        (choice("kinetics"), choice("a", [1, 2, 3]), [(None, 1), (None, 2), (None, 3)]),
        (choice("a", [1, 2]), choice("b"), [(1, None), (2, None)]),
    ],
)
def test_folds_are_paired_with_each_other_or_with_what_has_one(pretraining, data, pairs):
    made = list(paired(pretraining, data))
    assert [(one.options.get("fold"), other.options.get("fold")) for one, other, _ in made] == pairs
    average = made[0][2]
    assert all(one is average for *_, one in made)
    assert (average is None) == (len(pairs) == 1)
    assert average is None or (average.pretraining, average.data) == (pretraining, data)


def test_other_folds_are_refused():
    with pytest.raises(UsageError, match="expected the same folds"):
        list(paired(choice("a", [1, 2]), choice("a", [2, 3])))


def test_no_fold_is_refused():
    with pytest.raises(UsageError, match="names no fold"):
        list(paired(choice("a", []), choice("a", [1])))
