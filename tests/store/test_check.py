"""Check of a whole store: everything damaged is found, nothing is changed unless asked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.store import fits
from harness.store.check import Stored, check_store, mend
from harness.store.choices import Choice
from harness.store.features import FeatureFile
from harness.store.locks import lock
from harness.store.records import CellSpec, Run
from harness.store.runs import Store
from harness.system import files

KINDS = ("runs/a.json", "features/a.npy", "fits/a")


@pytest.fixture
def store(tmp_path):
    """Store with a run, features and a fit."""
    knn, blobs = Choice(name="knn"), Choice(name="blobs")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=blobs, seed=0)
    about = {"fit_key": "a", "identity": cell, "status": "done", "supervised": False, "protocol_id": "p"}
    Store(tmp_path).write(Run(key="a", protocol={}, provenance={}, **about))
    file = FeatureFile(tmp_path / "features", "a")
    values, written = file.partial((4, 3), "float32")
    values[:], written[:] = 1, 1
    file.complete()
    FeatureFile(tmp_path / "features", "b").partial((4, 3), "float32")  # not complete, hence not checked
    files.write_text(tmp_path / "fits" / "a" / "weights", "w")
    files.write_json(
        tmp_path / "fits" / "a" / fits.FIT, {fits.CHECKSUMS: fits.saved_checksums(tmp_path / "fits" / "a")}
    )
    files.write_text(tmp_path / "fits" / "killed" / "weights", "w")
    return tmp_path


def states(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_whole_store_is_whole(store):
    report = check_store(store)
    assert (report.whole, report.unchecked, report.damaged, report.refused) == (3, 0, [], [])
    assert check_store(store / "absent").whole == 0


def test_older_files_are_counted(store):
    np.save(store / "features" / "a.npy", np.zeros(3))
    files.write_json(store / "fits" / "a" / fits.FIT, {})
    run = json.loads((store / "runs" / "a.json").read_text())
    del run["checksum"]
    files.write_json(store / "runs" / "a.json", run)
    report = check_store(store)
    assert (report.whole, report.unchecked, report.damaged) == (0, 3, [])


def test_all_damage_is_found_and_set_aside_when_asked(store, tmp_path_factory):
    for name in ("runs/a.json", "features/a.npy", "fits/a/weights"):
        content = (store / name).read_bytes()
        (store / name).write_bytes(content[:-3] + b"?" + content[-2:])
    other = tmp_path_factory.mktemp("flow") / "a.zip"
    other.write_text("x")
    before = states(store)
    report = check_store(store, [Stored(other, "flow", lambda path: "no zip")])
    assert [one.path for one, _ in report.damaged] == [*(store / kind for kind in KINDS), other]
    assert all(problem for _, problem in report.damaged)
    assert report.whole == 0
    assert states(store) == before
    lines = [*mend(store, report)]
    for (done, line), kind in zip(lines, (*KINDS, "flow/a.zip"), strict=True):
        assert done
        assert line.endswith(f"set aside as {store / 'damaged' / kind}")
        assert (store / "damaged" / kind).exists()
    assert check_store(store).damaged == []


def test_what_was_made_again_meanwhile_stays(store):
    content = (store / "fits" / "a" / "weights").read_bytes()
    for name in ("features/a.npy", "fits/a/weights", "runs/a.json"):
        (store / name).write_bytes((store / name).read_bytes()[:-3] + b"?")
    report = check_store(store)
    (store / "fits" / "a" / "weights").write_bytes(content)
    (store / "runs" / "a.json").unlink()
    with lock(store, "features-a"):
        ((done, line),) = mend(store, report)
        assert not done
        assert line.startswith(f"{store / 'features' / 'a.npy'}: was damaged, and is left, as another process is at it")
    assert (store / "fits" / "a").exists()
    ((done, line),) = mend(store, report)
    assert done
    assert line.endswith(f"set aside as {store / 'damaged' / 'features' / 'a.npy'}")


def test_what_cannot_be_moved_is_not_mended(store):
    path = store / "runs" / "a.json"
    path.write_bytes(path.read_bytes()[:-3] + b"?")
    (store / "damaged").write_text("a file")
    ((done, line),) = mend(store, check_store(store))
    assert not done
    assert "it could not be set aside" in line
    assert path.exists()


def test_a_newer_run_is_refused_and_no_damage(store):
    path = store / "runs" / "a.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "version": 2}))
    report = check_store(store)
    assert report.damaged == []
    (line,) = report.refused
    assert "written by a newer version" in line
