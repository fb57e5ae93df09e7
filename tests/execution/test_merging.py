"""Stores and archives are merged: nothing is lost, conflicts are named, damage is refused."""

from __future__ import annotations

import stat
import zipfile

import numpy as np
import pytest

from harness.cards import EvaluatorCard, Metric
from harness.errors import UsageError
from harness.execution import merging
from harness.execution.merging import merge
from harness.store import fits
from harness.store.archive import write_archive
from harness.store.choices import Choice
from harness.store.class_scores import record_of, to_bytes
from harness.store.locks import lock
from harness.store.records import CellSpec, Run
from harness.store.runs import Store
from harness.system import files
from harness.values import ClassScores, Predictions, Score

TOP1 = Metric(id="top1", title="Top-1 accuracy", unit="%", higher_is_better=True, bounds=(0.0, 1.0))
CARD = EvaluatorCard(name="knn", summary="A vote.", protocol="none", metrics=(TOP1,))
PNG = b"\x89PNG\r\n\x1a\n"


def run(key, value=0.5, *, status="done", protocol_id="p"):
    knn = Choice(name="knn")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=knn, seed=0)
    about = {"supervised": False, "protocol": {}, "protocol_id": protocol_id, "provenance": {}}
    scores = (Score("top1", value),) if status == "done" else ()
    return Run(key=key, fit_key="f", identity=cell, status=status, scores=scores, pictures=("confusion",), **about)


def store_of(folder, *runs):
    store = Store(folder)
    for one in runs:
        store.write(one, {"confusion": PNG + one.key.encode()})
    return store


def add_fit(store, key, content="weights"):
    folder = store.folder / "fits" / key
    files.write_text(folder / "weights", content)
    files.write_json(folder / fits.FIT, {fits.CHECKSUMS: fits.saved_checksums(folder)})
    return folder


def merged(store, *sources, card=CARD):
    return merge(store, [getattr(source, "folder", source) for source in sources], lambda name: card)


def content(store):
    return {path.relative_to(store.folder): path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("packed", [False, True])
def test_runs_that_are_missing_are_taken_with_their_pictures(tmp_path, packed):
    ours, theirs = (
        store_of(tmp_path / "ours", run("a" * 20)),
        store_of(tmp_path / "theirs", run("a" * 20), run("b" * 20)),
    )
    source = theirs
    if packed:
        source = tmp_path / "pack.zip"
        write_archive(source, theirs, theirs, {})
    report = merged(ours, source)
    assert (report.taken, report.same, report.conflicts, report.refused) == (["b" * 20], 1, [], [])
    assert ours.get("b" * 20) == theirs.get("b" * 20)
    assert ours.picture("b" * 20, "confusion").read_bytes() == PNG + b"b" * 20
    before = content(ours)
    again = merged(ours, source)
    assert (again.taken, again.same) == ([], 2)
    assert content(ours) == before


def test_a_home_is_taken_for_its_store(tmp_path):
    store_of(tmp_path / "home" / "store", run("a" * 20))
    assert merged(Store(tmp_path / "ours"), tmp_path / "home").taken == ["a" * 20]


@pytest.mark.parametrize(("other", "conflicts"), [(0.504, 0), (0.51, 1)])
def test_scores_may_differ_within_the_tolerance_of_verify(tmp_path, other, conflicts):
    ours, theirs = store_of(tmp_path / "ours", run("a" * 20)), store_of(tmp_path / "theirs", run("a" * 20, other))
    report = merged(ours, theirs)
    assert (len(report.conflicts), report.same, report.taken) == (conflicts, 1 - conflicts, [])
    assert all("a" * 20 in line and "top1 0.5000, now 0.5100" in line for line in report.conflicts)
    assert ours.get("a" * 20).scores[0].value == 0.5


def test_without_the_evaluator_scores_have_to_be_equal(tmp_path):
    ours, theirs = store_of(tmp_path / "ours", run("a" * 20)), store_of(tmp_path / "theirs", run("a" * 20, 0.504))
    assert len(merged(ours, theirs, card=None).conflicts) == 1
    assert merged(ours, ours, card=None).conflicts == []


def test_another_name_of_one_cell_is_no_conflict(tmp_path):
    one = run("a" * 20)
    other = one.model_copy(update={"identity": one.identity.model_copy(update={"method": Choice(name="both")})})
    ours, theirs = store_of(tmp_path / "ours", one), store_of(tmp_path / "theirs", other)
    report = merged(ours, theirs)
    assert (report.same, report.conflicts) == (1, [])


def test_another_protocol_under_one_key_is_a_conflict(tmp_path):
    ours = store_of(tmp_path / "ours", run("a" * 20))
    theirs = store_of(tmp_path / "theirs", run("a" * 20, protocol_id="q"))
    (line,) = merged(ours, theirs).conflicts
    assert "another protocol" in line


def test_a_run_that_is_done_comes_before_one_that_failed(tmp_path):
    ours = store_of(tmp_path / "ours", run("a" * 20, status="failed"), run("b" * 20))
    theirs = store_of(tmp_path / "theirs", run("a" * 20), run("b" * 20, status="failed"))
    report = merged(ours, theirs)
    assert (report.taken, report.conflicts) == (["a" * 20], [])
    assert [ours.status(key) for key in ("a" * 20, "b" * 20)] == ["done", "done"]


def test_fits_of_folders_that_cannot_be_written_are_taken(tmp_path):
    ours, theirs = Store(tmp_path / "ours"), store_of(tmp_path / "theirs")
    folder = add_fit(theirs, "f1")
    files.write_text(folder / "training" / "log", "1")
    folders = (folder / "training", folder)
    for each in folders:
        each.chmod(0o555)
    (theirs.folder / "runs").mkdir(exist_ok=True)
    assert merged(ours, theirs).fits == 1
    taken = ours.folder / "fits" / "f1"
    assert [stat.S_IMODE(each.stat().st_mode) for each in (taken, taken / "training")] == [0o755] * 2
    assert fits.damage(taken) == ""
    for each in folders:
        each.chmod(0o755)


def test_a_share_waits_for_the_fit_that_keeps_others(tmp_path, monkeypatch):
    ours, theirs = Store(tmp_path / "ours"), store_of(tmp_path / "theirs", run("a" * 20))
    folder = add_fit(theirs, "f2")
    taken = []
    monkeypatch.setattr(merging, "lock", lambda store, name: taken.append(name) or lock(store, name))
    for whole, expected in (("f7", ["f2", "along-f7", "fit-f2"]), ("../f7", ["f2", "fit-f2"])):
        files.write_json(folder / fits.FIT, {fits.CHECKSUMS: fits.saved_checksums(folder), fits.OF: whole})
        merged(ours, theirs)
        assert taken == expected
        taken.clear()


def test_damaged_runs_and_fits_are_refused_and_the_rest_taken(tmp_path):
    ours, theirs = Store(tmp_path / "ours"), store_of(tmp_path / "theirs", run("a" * 20), run("b" * 20), run("c" * 20))
    theirs.path("a" * 20).write_text(theirs.path("a" * 20).read_text().replace("0.5", "0.6"))
    theirs.picture("c" * 20, "confusion").unlink()
    (add_fit(theirs, "f1") / "weights").write_text("others")
    whole = add_fit(theirs, "f2")
    report = merged(ours, theirs)
    assert (report.taken, report.fits, len(report.refused)) == (["b" * 20], 1, 3)
    assert fits.damage(ours.folder / "fits" / "f2") == ""
    assert (ours.folder / "fits" / "f2" / "weights").read_text() == (whole / "weights").read_text()
    assert not (ours.folder / "fits" / "f1").exists()
    assert not list((ours.folder / "fits").glob(".merge-*"))


def test_a_record_under_another_name_is_refused(tmp_path):
    theirs = store_of(tmp_path / "theirs", run("a" * 20))
    theirs.path("a" * 20).rename(theirs.path("b" * 20))
    report = merged(Store(tmp_path / "ours"), theirs)
    assert report.taken == []
    assert "its key is " + "a" * 20 in report.refused[0]


def test_a_fit_with_links_is_refused(tmp_path):
    theirs = store_of(tmp_path / "theirs", run("a" * 20))
    (add_fit(theirs, "f1") / "passwd").symlink_to("/etc/passwd")
    report = merged(ours := Store(tmp_path / "ours"), theirs)
    assert "passwd: no regular file" in report.refused[0]
    assert not (ours.folder / "fits" / "f1").exists()


def test_a_fit_that_was_interrupted_here_is_replaced_and_a_whole_one_kept(tmp_path):
    ours, theirs = Store(tmp_path / "ours"), store_of(tmp_path / "theirs", run("a" * 20))
    files.write_text(ours.folder / "fits" / "f1" / "training" / "checkpoint", "x")
    add_fit(ours, "f2", "ours")
    add_fit(theirs, "f1")
    add_fit(theirs, "f2", "theirs")
    assert merged(ours, theirs).fits == 1
    assert not (ours.folder / "fits" / "f1" / "training").exists()
    assert (ours.folder / "fits" / "f2" / "weights").read_text() == "ours"


def test_what_is_no_store_is_named_before_anything_is_taken(tmp_path):
    theirs, ours = store_of(tmp_path / "theirs", run("a" * 20)), Store(tmp_path / "ours")
    with pytest.raises(UsageError, match="expected a store"):
        merged(ours, theirs, tmp_path / "absent")
    assert list(ours) == []


def test_pictures_that_are_links_or_none_are_refused(tmp_path):
    theirs = store_of(tmp_path / "theirs", run("a" * 20), run("b" * 20))
    (tmp_path / "secret").write_bytes(PNG + b"secret")
    theirs.picture("a" * 20, "confusion").unlink()
    theirs.picture("a" * 20, "confusion").symlink_to(tmp_path / "secret")
    theirs.picture("b" * 20, "confusion").write_bytes(b"secret")
    report = merged(ours := Store(tmp_path / "ours"), theirs)
    assert (report.taken, len(report.refused)) == ([], 2)
    assert list(ours) == []


@pytest.mark.parametrize("packed", [False, True])
def test_class_scores_are_taken_along_and_damaged_ones_refused(tmp_path, packed):
    keys = ["a" * 20, "b" * 20]
    scores = ClassScores("logits", np.zeros((1, 2, 2), np.float16))
    content = to_bytes(scores)
    predictions = Predictions(("v", "w"), ("", ""), (0, 1), ((0, 0),))
    beside = {"predictions": predictions, "class_scores": record_of(scores, content)}
    theirs = Store(tmp_path / "theirs")
    for key in keys:
        theirs.write(run(key).model_copy(update=beside), {"confusion": PNG}, content)
    source = theirs
    if packed:
        source = tmp_path / "pack.zip"
        write_archive(source, theirs, theirs, {})
        with zipfile.ZipFile(source) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        members[f"class_scores/{keys[1]}.npy"] = content[:-1] + b"?"
        with zipfile.ZipFile(source, "w") as archive:
            for name, member in members.items():
                archive.writestr(name, member)
    else:
        theirs.class_scores_path(keys[1]).unlink()
        theirs.class_scores_path(keys[1]).symlink_to(theirs.class_scores_path(keys[0]))
    report = merged(ours := Store(tmp_path / "ours"), source)
    assert report.taken == keys[:1]
    assert f"{keys[1]}.npy: {'damaged' if packed else 'no regular file'}" in report.refused[0]
    assert ours.class_scores(ours.get(keys[0])) == scores
    ours.class_scores_path(keys[0]).unlink()
    assert merged(ours, source).taken == [keys[0]]
    assert ours.class_scores(ours.get(keys[0])) == scores


def test_a_fit_that_names_files_outside_of_it_is_refused(tmp_path):
    theirs = store_of(tmp_path / "theirs", run("a" * 20))
    for number, name in enumerate(("/dev/zero", "../../x")):
        files.write_json(theirs.folder / "fits" / f"f{number}" / fits.FIT, {fits.CHECKSUMS: {name: "0"}})
    report = merged(Store(tmp_path / "ours"), theirs)
    assert report.fits == 0
    assert all("names a file outside of it" in line for line in report.refused)
    assert len(report.refused) == 2


def test_a_newer_record_here_stops_nothing_else(tmp_path):
    ours = store_of(tmp_path / "ours", run("a" * 20))
    theirs = store_of(tmp_path / "theirs", run("a" * 20), run("b" * 20))
    path = ours.path("a" * 20)
    path.write_text(path.read_text().replace('"version": 1', '"version": 99'))
    before = path.read_text()
    report = merged(ours, theirs)
    assert (report.taken, len(report.refused)) == (["b" * 20], 1)
    assert path.read_text() == before
