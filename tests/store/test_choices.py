"""Choices and parts as suites write and stores keep them, and the fits that they start from."""

from __future__ import annotations

import json

import pytest

from harness.store.choices import Choice, Part, StartingFit, starting_fit, starting_fits, stored_parts, with_fit


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


STARTED = {"start": {"fit": {"method": {"name": "a", "start": {"fit": {"method": "b"}}}, "pretraining": "ucf101"}}}


def test_fits_that_a_method_starts_from_are_found_whatever_else_it_has():
    method = Choice(name="sfa", options=STARTED)
    assert starting_fit(method).label == "a(start=(fit=b)) on ucf101"
    assert [fit.method.name for fit in starting_fits(method)] == ["a", "b"]
    changed = with_fit(method, StartingFit(method="c", frames=7))
    assert changed.options == {"start": {"fit": {"method": {"name": "c", "options": {}}, "frames": 7}}}
    for other in (None, "fit", {"fit": 3}, {"fit": {"metod": "a"}}, {"fit": {"method": 3}}, {"weights": "a.pth"}):
        assert starting_fit(Choice(name="sfa", options={"start": other})) is None
