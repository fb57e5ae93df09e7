"""Labels of choices, and rows made of others."""

from __future__ import annotations

import json
import pickle

import pytest

from harness.cards import View, WholeVideo
from harness.store.choices import Choice, Part, StartingFit, starting_fit, starting_fits, stored_parts, with_fit
from harness.store.records import CellSpec
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


def test_labels_say_name_and_options_in_order():
    assert Choice(name="knn").label == "knn"
    assert Choice(name="knn", options={"k": 5, "label": "scene"}).label == "knn(k=5, label=scene)"
    parts = [{"name": "sfa", "options": {}}, {"name": "knn", "options": {"k": 1}}]
    assert Choice(name="both", options={"of": parts}).label == "both(of=sfa + knn(k=1))"
    assert Choice(name="x", options={"of": [1, 2], "rest": []}).label == "x(of=[1, 2], rest=[])"


MOCAP = {"name": "mocap-actions", "size": "mini"}


@pytest.mark.parametrize(
    ("written", "label", "stored"),
    [
        ({"method": "sfa"}, "sfa", {"name": "sfa", "options": {}}),
        ({"method": {"name": "knn", "k": 1}}, "knn(k=1)", {"name": "knn", "options": {"k": 1}}),
        (
            {"method": "supervised", "backbone": "small_3d", "pretraining": MOCAP, "clips": 4},
            "supervised on small_3d, learnt from mocap-actions(size=mini), 4 clips",
            {
                "method": {"name": "supervised", "options": {}},
                "backbone": {"name": "small_3d", "options": {}},
                "pretraining": {"name": "mocap-actions", "options": {"size": "mini"}},
                "clips": 4,
            },
        ),
        (
            {"method": {"name": "sfa", "dim": 3}, "crops": 10, "aggregate": "max"},
            "sfa(dim=3), maximum over 10 crops",
            {"method": {"name": "sfa", "options": {"dim": 3}}, "crops": 10, "aggregate": "max"},
        ),
    ],
)
def test_a_part_is_stored_as_its_method_and_what_is_its_own(written, label, stored):
    part = Part.model_validate(written)
    assert (part.label, part.model_dump()) == (label, stored)
    assert json.loads(part.model_dump_json()) == stored
    assert stored_parts([stored]) == (part,)
    assert Choice(name="x", options={"of": [{"name": "a", "options": {}}, stored]}).label == f"x(of=a + {label})"


@pytest.mark.parametrize(
    "other", [None, [1, 2], "sfa", [{"name": "sfa"}], [{"method": "sfa"}], [{"method": {"a": 1}}], {"name": "a"}]
)
def test_other_options_list_no_parts(other):
    assert stored_parts(other) == ()


@pytest.mark.parametrize(
    "wrong", [{"clips": 0}, {"crops": 2}, {"aggregate": "sum"}, {"crop": 10}, {"backbone": 3}, {"seed": 1}]
)
def test_a_part_with_what_cannot_be_is_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Part.model_validate({"method": "sfa", **wrong})


def test_a_cell_names_the_data_of_its_parts_once():
    stored = [Part(method=name, pretraining=data).model_dump() for name, data in PRETRAINED]
    cell = CellSpec(
        method=Choice(name="both", options={"of": stored, "by": "concat"}),
        backbone=None,
        pretraining=Choice(name="blobs"),
        frames=1,
        evaluator=Choice(name="knn"),
        data=Choice(name="blobs"),
        seed=0,
    )
    assert [part.method.name for part in cell.parts] == ["a", "b", "c", "d"]
    assert cell.further_data == (Choice(name="ucf101"),)
    alone = cell.model_copy(update={"method": Choice(name="a", options={"of": [1]})})
    assert (alone.parts, alone.further_data) == ((), ())


PRETRAINED = [("a", None), ("b", "ucf101"), ("c", "blobs"), ("d", "ucf101")]
"""Methods of parts, and the data that they learn from."""


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


STARTED = {"start": {"fit": {"method": {"name": "a", "start": {"fit": {"method": "b"}}}, "pretraining": "ucf101"}}}


def test_fits_that_a_method_starts_from_are_found_whatever_else_it_has():
    method = Choice(name="sfa", options=STARTED)
    assert starting_fit(method).label == "a(start=(fit=b)) on ucf101"
    assert [fit.method.name for fit in starting_fits(method)] == ["a", "b"]
    changed = with_fit(method, StartingFit(method="c", frames=7))
    assert changed.options == {"start": {"fit": {"method": {"name": "c", "options": {}}, "frames": 7}}}
    for other in (None, "fit", {"fit": 3}, {"fit": {"metod": "a"}}, {"fit": {"method": 3}}, {"weights": "a.pth"}):
        assert starting_fit(Choice(name="sfa", options={"start": other})) is None


def test_a_cell_names_the_data_of_fits_that_parts_start_from():
    parts = [Part(method="a", pretraining="blobs"), Part(method=Choice(name="b", options=STARTED))]
    method = Choice(name="both", options={"of": [part.model_dump() for part in parts], "by": "concat"})
    cell = CellSpec(
        method=method,
        backbone=None,
        pretraining=None,
        frames=1,
        evaluator=Choice(name="knn"),
        data=Choice(name="blobs"),
        seed=0,
    )
    assert cell.further_data == (Choice(name="blobs"), Choice(name="ucf101"))
    assert [fit.method.name for fit in cell.starting_fits] == ["a", "b"]
    alone = cell.model_copy(update={"method": parts[1].method, "pretraining": Choice(name="ucf101")})
    assert alone.further_data == ()
