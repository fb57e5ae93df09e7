"""Class scores beside a run: read as they were written, noticed where they are damaged or gone."""

from __future__ import annotations

import dataclasses
import json
import zipfile

import numpy as np
import pytest

from harness.errors import DataError
from harness.store import class_scores
from harness.store.archive import Archive, write_archive
from harness.store.check import check_store, mend
from harness.store.choices import Choice
from harness.store.class_scores import DamagedScoresError, parse, record_of, to_bytes
from harness.store.garbage import Kept, delete, find_garbage
from harness.store.records import CellSpec, Run
from harness.store.runs import Store, run_text
from harness.store.sizes import run_size, store_sizes
from harness.system.checksums import checksum
from harness.values import ClassScores, Predictions

SCORES = ClassScores("logits", np.array([[[0, -1.5], [-0.25, 0], [0, -60000]]], np.float16))
CONTENT = to_bytes(SCORES)
KEY = "0123456789abcdef"


def run_of(key=KEY, **changes):
    knn = Choice(name="knn")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=knn, seed=0)
    about = {"status": "done", "supervised": False, "protocol": {}, "protocol_id": "p", "provenance": {}}
    predictions = Predictions(("a", "b", "c"), ("", "", ""), (0, 1, 1), ((0, 1, 0),))
    record = record_of(SCORES, CONTENT)
    content = {"predictions": predictions, "class_scores": record, **about, **changes}
    return Run(key=key, fit_key="f", identity=cell, **content)


@pytest.fixture
def store(tmp_path):
    """Store of a run with class scores, and of one without."""
    store = Store(tmp_path / "store")
    store.write(run_of(), scores=CONTENT)
    store.write(run_of("fedcba9876543210", class_scores=None))
    return store


def test_what_is_written_is_read_back_without_pickle(store):
    run = store.get(KEY)
    assert run == run_of()
    assert store.class_scores(run) == SCORES
    assert np.array_equal(np.load(store.class_scores_path(KEY), allow_pickle=False), SCORES.values)


def test_a_run_without_any_has_the_text_that_it_always_had(store):
    run = store.get("fedcba9876543210")
    assert store.class_scores(run) is None
    assert "class_scores" not in run_text(run)
    assert json.loads(run_text(run_of()))["class_scores"] == {"kind": "logits", "checksum": checksum(CONTENT)}


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"?", CONTENT[:40], b""])
def test_damaged_ones_are_set_aside_and_the_run_computed_again(store, capsys, content):
    path = store.class_scores_path(KEY)
    path.write_bytes(content)
    assert store.status(KEY) == "done"
    assert store.class_scores(store.get(KEY)) is None
    said = " ".join(capsys.readouterr().err.split())
    assert f"{KEY}.npy: damaged (its bytes are not those that were written)" in said
    assert "`harness run` of its suite computes the run again" in said
    assert (store.folder / "damaged" / "class_scores" / f"{KEY}.npy").read_bytes() == content
    assert store.get(KEY) is not None  # whose numbers are still right
    assert store.status(KEY) is None
    text = store.path(KEY).read_text()
    store.path(KEY).write_text(json.dumps(json.loads(text)))  # written anew by another program
    assert store.status(KEY) is None
    store.write(run_of(), scores=CONTENT)
    assert store.status(KEY) == "done"


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (np.zeros((1, 2, 2), np.float16), "it has 2 videos, the run 3"),
        (np.zeros((1, 3, 2), np.float32), "float16"),
        (np.zeros((3, 2), np.float16), "R, N, C"),
        (np.array([[[None]]]), "objects"),
    ],
)
def test_a_file_that_is_no_class_scores_of_the_run_is_damaged(tmp_path, values, problem):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    content = (tmp_path / "a.npy").read_bytes()
    run = run_of(class_scores={"kind": "logits", "checksum": checksum(content)})
    with pytest.raises(DamagedScoresError, match=problem):
        parse(run, content, tmp_path / "a.npy")


def test_a_header_that_claims_more_than_there_is_takes_no_memory(tmp_path):
    content = CONTENT.replace(b"(1, 3, 2)", b"(9999999999999, 3, 2)").replace(b" " * 12, b"", 1)
    run = run_of(class_scores={"kind": "logits", "checksum": checksum(content)})
    with pytest.raises(DamagedScoresError, match="no class scores"):
        parse(run, content, tmp_path / "a.npy")


def test_those_of_an_earlier_run_go_when_it_is_replaced(store):
    store.write(run_of(class_scores=None, status="failed"))
    assert not store.class_scores_path(KEY).exists()


def test_the_check_of_a_store_reads_them(store):
    assert (check_store(store.folder).whole, check_store(store.folder).damaged) == (3, [])
    path = store.class_scores_path(KEY)
    path.write_bytes(CONTENT[:-1] + b"?")
    report = check_store(store.folder)
    assert [(one.path, problem) for one, problem in report.damaged] == [
        (path, "its bytes are not those that were written")
    ]
    assert len([*mend(store.folder, report)]) == 1
    assert not path.exists()
    assert (check_store(store.folder).whole, check_store(store.folder).damaged) == (2, [])


def test_they_are_garbage_and_bytes_of_their_run(store):
    size = store.path(KEY).stat().st_size + len(CONTENT)
    assert run_size(store, store.get(KEY)) == size
    assert store_sizes(store.folder)["runs"] == size + store.path("fedcba9876543210").stat().st_size
    (found,) = find_garbage(store.folder, Kept(frozenset({"fedcba9876543210"})))
    assert (found.key, found.size) == (KEY, size)
    delete(store.folder, [found])
    assert not store.class_scores_path(KEY).exists()


def test_an_archive_has_them_and_compares_their_checksum(store, tmp_path):
    path = tmp_path / "a.zip"
    write_archive(path, store, store, {})
    with Archive.open(path) as archive:
        runs = {key: archive.read(key) for key in archive.runs}
        assert {key: archive.class_scores(run) for key, run in runs.items()} == {
            KEY: CONTENT,
            "fedcba9876543210": None,
        }
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = f"{class_scores.FOLDER}/{KEY}.npy"
    for changed in (CONTENT[:-1] + b"?", None):
        with zipfile.ZipFile(path, "w") as archive:
            for member, content in {**members, name: changed}.items():
                if content is not None:
                    archive.writestr(member, content)
        with Archive.open(path) as archive, pytest.raises(DataError, match=rf"{KEY}\.npy: damaged"):
            archive.class_scores(runs[KEY])


def test_nothing_is_packed_where_some_are_damaged_or_gone(store, tmp_path):
    path = store.class_scores_path(KEY)
    path.write_bytes(CONTENT[:-1] + b"?")
    with pytest.raises(DataError, match=rf"{KEY}\.npy: damaged \(its bytes"):
        write_archive(tmp_path / "a.zip", store, store, {})
    assert (path.exists(), store.status(KEY)) == (False, None)  # so that the run is computed again
    with pytest.raises(DataError, match=rf"{KEY}\.npy: gone; `harness run` of its suite"):
        write_archive(tmp_path / "a.zip", store, store, {})
    assert not (tmp_path / "a.zip").exists()


def test_equal_scores_are_equal():
    again = ClassScores("logits", SCORES.values.copy())
    assert (again, hash(again)) == (SCORES, hash(SCORES))
    assert again != dataclasses.replace(again, kind="margins")
    assert again != ClassScores("logits", SCORES.values[:, ::-1])
