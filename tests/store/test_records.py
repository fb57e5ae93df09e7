"""Labels of choices, and rows made of others."""

from __future__ import annotations

import pickle

from harness.cards import View, WholeVideo
from harness.store.records import Choice, Composite, FitSpec
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


def test_labels_say_name_and_options_in_order():
    assert Choice(name="knn").label == "knn"
    assert Choice(name="knn", options={"k": 5, "label": "scene"}).label == "knn(k=5, label=scene)"
    parts = [{"name": "sfa", "options": {}}, {"name": "knn", "options": {"k": 1}}]
    assert Choice(name="both", options={"of": parts}).label == "both(of=sfa + knn(k=1))"
    assert Choice(name="x", options={"of": [1, 2], "rest": []}).label == "x(of=[1, 2], rest=[])"


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
