"""Rows made of others."""

from __future__ import annotations

import pickle

from harness.cards import View, WholeVideo
from harness.store.choices import Choice
from harness.store.specs import Composite, FitSpec
from harness.values import Promise


def fit(name, *, supervised=False, dim=3, view=None):
    return FitSpec(
        method=Choice(name=name),
        backbone=Choice(name="small_2d"),
        pretraining=Choice(name="blobs"),
        frames=512,
        seed=0,
        supervised=supervised,
        promise=Promise(views=(view or View(),), shape=(dim,)),
        key=name,
    )


def test_a_composite_of_one_row_is_that_row():
    alone = Composite(of=(fit("a", dim=4),), by="concat", key="x")
    assert (alone.promise, alone.label, alone.fits) == (fit("a", dim=4).promise, "a / small_2d / seed 0", alone.of)


def test_a_composite_has_the_fits_of_its_parts_in_order():
    a, b, c = fit("a"), fit("b", supervised=True), fit("c", dim=4, view=WholeVideo())
    inner = Composite(of=(b, a), by="concat", key="inner")
    outer = Composite(of=(c, inner), by="blocks", key="outer")
    assert a.fits == (a,)
    assert outer.fits == (c, b, a)
    assert outer.supervised
    assert not Composite(of=(a, c), by="concat", key="x").supervised
    assert outer.promise.shape == (10,)
    assert outer.promise.views == (WholeVideo(), View())
    assert outer.promise.offers == {"vector", "blocks"}


def test_specs_can_be_handed_to_another_process():
    row = Composite(of=(fit("a"), fit("b")), by="concat", key="x")
    assert pickle.loads(pickle.dumps(row)) == row
