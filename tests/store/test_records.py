"""Cells name the data of their parts, and of the fits that these start from."""

from __future__ import annotations

from harness.store.choices import Choice, Part
from harness.store.records import CellSpec

STARTED = {"start": {"fit": {"method": {"name": "a", "start": {"fit": {"method": "b"}}}, "pretraining": "ucf101"}}}


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
