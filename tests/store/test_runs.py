"""The store of runs: whole files or none, found by the start of a key, broken ones named."""

from __future__ import annotations

import pytest

from harness.errors import DataError, UsageError
from harness.store.records import CellSpec, Choice, Run
from harness.store.runs import Store, read_run
from harness.values import Predictions, Score


def run_of(key="ab" * 10, **changes):
    identity = CellSpec(
        method=Choice(name="random_init"),
        backbone=Choice(name="small_2d"),
        pretraining=Choice(name="blobs"),
        frames=512,
        evaluator=Choice(name="knn", options={"k": 5}),
        data=Choice(name="blobs"),
        seed=0,
    )
    content = {
        "key": key,
        "fit_key": "cd" * 10,
        "identity": identity,
        "status": "done",
        "supervised": False,
        "scores": (Score("top1", 0.5, 0.25), Score("loss", 1.0)),
        "predictions": Predictions(("a", "b"), ("g", "h"), (0, 1), ((0, 1),), {"top1": ((1.0, None),)}),
        "notes": {"k": 5},
        "pictures": ("confusion",),
        "protocol": {"evaluator": "knn"},
        "protocol_id": "ef" * 10,
        "provenance": {"commit": ""},
    }
    return Run(**{**content, **changes})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_what_is_written_is_read_back(store):
    run = run_of()
    store.write(run, {"confusion": b"PNG"})
    assert store.get(run.key) == run
    assert list(store) == [run]
    assert store.picture(run.key, "confusion").read_bytes() == b"PNG"
    assert run.score("top1") == Score("top1", 0.5, 0.25)
    assert run.score("top5") is None
    assert run.evaluation.predictions == run.predictions


def test_a_run_of_the_same_key_replaces_the_one_before(store):
    store.write(run_of(status="failed", reason="a reason", scores=(), predictions=None))
    store.write(run_of())
    assert [run.status for run in store] == ["done"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_number_that_json_has_no_word_for_leaves_nothing(store, value):
    with pytest.raises(ValueError, match="not JSON compliant"):
        store.write(run_of(scores=(Score("top1", value),)))
    assert store.get(run_of().key) is None
    assert not list(store.path("x").parent.glob("*"))


def test_a_key_is_found_by_its_start(store):
    for key in ("aa" * 10, "ab" * 10):
        store.write(run_of(key))
    assert store.find("ab").key == "ab" * 10
    with pytest.raises(UsageError, match="run 'a': 2 runs start with it"):
        store.find("a")
    for absent in ("b", "../a", "*"):
        with pytest.raises(UsageError, match="no run starts with it"):
            store.find(absent)


@pytest.mark.parametrize("text", ["{", "{}", '{"version": 2}', "[]"])
def test_a_file_that_is_no_run_is_named_and_passed_over(store, text):
    store.write(run_of())
    broken = store.path("broken")
    broken.write_text(text)
    assert store.get("broken") is None
    assert [run.key for run in store] == [run_of().key]
    (complaint,) = store.broken()
    assert str(broken) in complaint
    assert "delete it and run again" in complaint
    with pytest.raises(DataError, match="not a run of schema 1"):
        read_run(broken)
