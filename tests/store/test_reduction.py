"""Clips and crops of a part in words, and what becomes of an encoding and a promise."""

from __future__ import annotations

import pickle

import pytest

from harness.cards import View
from harness.store.choices import Choice
from harness.store.reduction import Reduction
from harness.store.specs import Composite, FitSpec, ReducedFit
from harness.values import Encoding, Promise

TEN = Reduction(crops=10, aggregate="max")


@pytest.mark.parametrize(
    ("reduction", "words"),
    [
        (Reduction(clips=4), "4 clips"),
        (Reduction(clips=1, crops=3), "1 clip and 3 crops"),
        (Reduction(), "mean over clips and crops"),
        (TEN, "maximum over 10 crops"),
        (Reduction(clips=2, crops=5, aggregate="max"), "maximum over 2 clips and 5 crops"),
        (Reduction(aggregate="max"), "maximum over clips and crops"),
    ],
)
def test_words(reduction, words):
    assert str(reduction) == words


def test_an_encoding_keeps_all_that_is_not_reduced():
    asked = Encoding(split="train", layer="fc6", clips=4, crops=3, shuffle=1, frames=2, precision="float16")
    assert TEN.asked(asked) == Encoding(
        split="train", layer="fc6", clips=4, crops=10, shuffle=1, frames=2, precision="float16", aggregate="max"
    )
    assert Reduction(clips=2).asked(Encoding(clips=4, aggregate="max")) == Encoding(clips=2)


def test_a_reduced_fit_is_a_row_of_vectors():
    promise = Promise(views=(View(),), shape=(8, 7, 7), offers=frozenset({"trainable"}))
    fit = FitSpec(
        method=Choice(name="a"),
        backbone=Choice(name="small_2d"),
        pretraining=None,
        frames=None,
        seed=3,
        supervised=True,
        promise=promise,
        key="a",
    )
    row = ReducedFit(of=fit, by=TEN, key="x")
    assert (row.fits, row.supervised) == ((fit,), True)
    assert row.label == "a / small_2d / seed 3 / maximum over 10 crops"
    assert row.promise == Promise(views=(View(),), shape=(8,))
    assert Composite(of=(row, fit), by="concat", key="y").fits == (fit, fit)
    assert pickle.loads(pickle.dumps(row)) == row
