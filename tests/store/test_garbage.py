"""All that nothing kept needs is found and deleted, the rest is left as it is."""

from __future__ import annotations

import json
import os
import time

import pytest

from harness.store.choices import Choice
from harness.store.garbage import ABANDONED, Kept, delete, find_garbage, find_leftovers
from harness.store.locks import lock
from harness.store.records import CellSpec, Run
from harness.store.runs import NewerRecordError, Store
from harness.store.sizes import size_of, store_sizes
from harness.system import files


def run(key, fit):
    knn = Choice(name="knn")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=knn, seed=0)
    about = {"status": "done", "supervised": False, "protocol": {}, "protocol_id": "p", "provenance": {}}
    return Run(key=key, fit_key=fit, identity=cell, pictures=("confusion",), **about)


@pytest.fixture
def folder(tmp_path):
    """Store of two runs with pictures, two fits, one that was killed, features whole and not, and damage."""
    store = Store(tmp_path)
    for key, fit in (("aa", "f1"), ("bb", "f2")):
        store.write(run(key, fit), {"confusion": b"png of " + key.encode()})
        files.write_text(tmp_path / "fits" / fit / "weights", fit)
        files.write_json(tmp_path / "fits" / fit / "fit.json", {})
    for name in (
        "fits/f3/training/checkpoint",
        "features/x1.npy",
        "features/x1.json",
        "features/x1.verified",
        "features/x2.partial.npy",
        "features/x2.partial.rows",
        "features/.x3.json.tmp",
        "damaged/runs/cc.json",
        "fits/.merge-1/f9/weights",
    ):
        files.write_text(tmp_path / name, "12345")
    return tmp_path


KEPT = Kept(frozenset({"aa"}), frozenset({"f1"}), frozenset({"x1"}))


def everything(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_killed_processes_left_is_garbage_once_it_is_old(folder, tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    files.write_text(home / ".verify-1" / "store" / "fits" / "f1" / "weights", "123")
    for name in (
        "flow/ab/.1.zip.x.tmp",
        "flow/ab/2.zip",
        "index/.3.tmp",
        "datasets/.4.drawing/a.avi",
        "datasets/5/a.avi",
    ):
        files.write_text(home / name, "123")
    files.write_text(folder / "pictures" / "dd" / "confusion.png", "123")
    for name in ("held", "free"):
        files.write_text(folder / "locks" / f"{name}.lock", "")
    assert find_leftovers(folder, KEPT, home) == ()
    before = time.time() - 2 * ABANDONED
    for path in (*folder.rglob("*"), *home.rglob("*")):
        os.utime(path, (before, before))
    found = find_leftovers(folder, KEPT, home)
    assert [(one.kind, one.key) for one in found] == [
        ("run", "dd"),
        ("leftover", "fits/.merge-1"),
        ("leftover", "features/.x3.json.tmp"),
        ("leftover", ".verify-1"),
        ("leftover", "flow/ab/.1.zip.x.tmp"),
        ("leftover", "index/.3.tmp"),
        ("leftover", "datasets/.4.drawing"),
        ("locks", "locks/ (2)"),
    ]
    kept = {name: text for name, text in everything(folder).items() if "/." not in name and "/dd/" not in name}
    with lock(folder, "held"):
        assert delete(folder, found) == ()
        assert [path.name for path in (folder / "locks").iterdir()] == ["held.lock"]
    assert everything(folder) == {name: text for name, text in kept.items() if name != "locks/free.lock"}
    assert sorted(everything(home)) == ["datasets/5/a.avi", "flow/ab/2.zip"]


def test_scores_without_a_record_are_garbage(folder):
    files.write_text(folder / "class_scores" / "dd.npy", "123")
    being_stored = Kept(KEPT.runs | {"dd"}, KEPT.fits, KEPT.features)
    assert "dd" not in {one.key for one in find_garbage(folder, being_stored)}
    (found,) = (one for one in find_garbage(folder, KEPT) if one.key == "dd")
    assert (found.kind, found.size) == ("run", 3)
    assert delete(folder, [found]) == ()
    assert not (folder / "class_scores" / "dd.npy").exists()


def test_a_share_is_left_while_its_fit_keeps_others(folder):
    files.write_json(folder / "fits" / "f2" / "fit.json", {"of": "f7"})
    (share,) = (one for one in find_garbage(folder, KEPT) if one.key == "f2")
    with lock(folder, "along-f7"):
        assert delete(folder, [share]) == (share,)
    assert delete(folder, [share]) == ()


def test_all_that_is_not_kept_is_found_and_nothing_changed(folder):
    before = everything(folder)
    found = {(one.kind, one.key): one.size for one in find_garbage(folder, KEPT)}
    assert found.keys() == {
        ("run", "bb"),
        ("fit", "f2"),
        ("fit", "f3"),
        ("features", "x2"),
    }
    assert found["run", "bb"] == len(before["runs/bb.json"]) + len(before["pictures/bb/confusion.png"])
    assert (found["fit", "f2"], found["features", "x2"]) == (len("f2") + len("{}\n"), 10)
    assert everything(folder) == before
    assert find_garbage(folder / "absent", KEPT) == ()


def test_what_is_deleted_is_gone_and_the_rest_as_it_was(folder):
    before = everything(folder)
    assert delete(folder, find_garbage(folder, KEPT)) == ()
    kept = ("runs/aa", "pictures/aa", "fits/f1", "fits/.merge", "features/x1.", "features/.x3", "damaged/")
    expected = {name: content for name, content in before.items() if name.startswith(kept)}
    assert {name: text for name, text in everything(folder).items() if not name.startswith("locks/")} == expected
    assert find_garbage(folder, KEPT) == ()


@pytest.mark.parametrize(("name", "kind"), [("f2", "fit"), ("fit-f2", "fit"), ("features-x2", "features")])
def test_what_another_process_is_at_is_left(folder, name, kind):
    with lock(folder, name):
        (left,) = delete(folder, find_garbage(folder, KEPT))
    assert left.kind == kind
    assert all(path.exists() for path in left.paths)
    (again,) = find_garbage(folder, KEPT)
    assert again == left


def test_a_newer_version_alone_knows_what_its_runs_need(folder):
    path = folder / "runs" / "bb.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 99}))
    with pytest.raises(NewerRecordError, match=r"bb\.json"):
        find_garbage(folder, KEPT)


def test_links_are_deleted_and_not_what_they_lead_to(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    files.write_text(elsewhere / "kept", "x")
    files.write_json(elsewhere / "fit.json", {})
    (folder / "fits" / "f4").symlink_to(elsewhere, target_is_directory=True)
    delete(folder, find_garbage(folder, KEPT))
    assert not (folder / "fits" / "f4").exists()
    assert sorted(path.name for path in elsewhere.iterdir()) == ["fit.json", "kept"]


def test_all_fits_can_be_kept(folder):
    kept = Kept(frozenset({"aa"}), None, frozenset({"x1"}))
    assert {one.kind for one in find_garbage(folder, kept)} == {"run", "features"}


def test_sizes_are_sums_over_files(folder):
    whole = everything(folder)
    sizes = store_sizes(folder)
    assert sizes["features"] == sum(len(text) for name, text in whole.items() if name.startswith("features/"))
    assert sizes["damaged"] == 5
    assert size_of(folder) == sum(map(len, whole.values()))
    assert "damaged" not in store_sizes(folder / "absent")
