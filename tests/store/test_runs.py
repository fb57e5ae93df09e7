"""The store of runs: whole files or none, found by the start of a key, broken ones named."""

from __future__ import annotations

import errno
import json

import jsonschema
import pytest

from harness.errors import DataError, StoreError, UsageError
from harness.store import runs
from harness.store.choices import Choice
from harness.store.records import CellSpec, Run
from harness.store.runs import DamagedRecordError, NewerRecordError, Store, is_checked, read_run, run_schema
from harness.system import files
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


def test_a_written_file_is_what_the_schema_says(store):
    run = run_of()
    store.write(run, {"confusion": b"PNG"})
    content = json.loads(store.path(run.key).read_text())
    jsonschema.Draft202012Validator(run_schema()).validate(content)
    for field in ("identity", "status", "protocol"):
        with pytest.raises(jsonschema.ValidationError, match=field):
            jsonschema.validate({name: value for name, value in content.items() if name != field}, run_schema())


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
    with pytest.raises(
        UsageError,
        match=r"run 'a': 2 runs start with it in .* \(nearest: a.{11}, a.{11}\); `harness run SUITE --dry-run --json`",
    ):
        store.find("a")
    for absent in ("b", "../a", "*"):
        with pytest.raises(UsageError, match="no run starts with it"):
            store.find(absent)


def changed(path, **changes):
    """Write a run as another program would: no checksum line, other spaces."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "no JSON"),
        ("{}", "not a run of version 1, key: Field required"),
        ("[]", "no record"),
        ("[" * 100_000, "no JSON"),
        ('{"version": 1e400}', "no JSON"),
    ],
)
def test_a_file_that_is_no_run_is_set_aside_and_named(store, capsys, text, problem):
    store.write(run_of())
    broken = store.path("broken")
    broken.write_text(text)
    (complaint,) = store.broken()
    assert complaint.startswith(f"{broken}: damaged (it is {problem}")
    assert complaint.endswith("; `harness run` of its suite sets it aside and computes it again")
    with pytest.raises(DataError, match="damaged"):
        store.find("broken")
    assert broken.read_text() == text  # so far it was only looked at
    assert [run.key for run in store] == [run_of().key]
    aside = store.folder / "damaged" / "runs" / "broken.json"
    assert aside.read_text() == text
    assert f"{broken}: damaged (it is {problem}" in (said := capsys.readouterr().err)
    assert f"set aside as {aside}" in said
    assert store.get("broken") is None
    assert store.broken() == []


def test_a_run_whose_bytes_are_others_is_noticed(store):
    store.write(run_of())
    path = store.path(run_of().key)
    whole = path.read_bytes()
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises((DamagedRecordError, NewerRecordError)):  # a name of a field that is none looks newer
            read_run(path)
    path.write_bytes(whole.replace(b'"value": 0.5', b'"value": 0.9'))
    with pytest.raises(DamagedRecordError, match="its text is not the one that was written"):
        read_run(path)
    path.write_bytes(whole)
    assert read_run(path) == run_of()


def test_a_run_that_another_program_wrote_anew_is_whole(store):
    store.write(run_of())
    path = store.path(run_of().key)
    changed(path)
    assert store.get(run_of().key) == run_of()
    path.write_bytes(path.read_bytes().replace(b", ", b",\r\n"))
    assert store.get(run_of().key) == run_of()
    changed(path, sees="another view")
    assert store.get(run_of().key) is None


def test_a_run_of_an_older_version_has_no_checksum_and_is_read(store):
    store.write(run_of())
    path = store.path(run_of().key)
    assert is_checked(path)
    content = json.loads(path.read_text())
    del content["checksum"]
    files.write_json(path, content)
    assert store.get(run_of().key) == run_of()
    assert not is_checked(path)


def test_an_older_record_is_brought_up_to_this_version(store, monkeypatch):
    monkeypatch.setitem(runs._MIGRATIONS, 0, lambda old: {**old, "supervised": old["supervised"] == "yes"})
    monkeypatch.setitem(runs._MIGRATIONS, -1, lambda old: {"supervised": "yes", **without(old, "labels")})
    store.write(run_of())
    path = store.path(run_of().key)
    content = without(json.loads(path.read_text()), "supervised", "checksum")
    files.write_json(path, {**content, "version": -1, "labels": True})
    assert store.get(run_of().key) == run_of(supervised=True)
    files.write_json(path, {**content, "version": -2, "labels": True})
    assert store.get(run_of().key) is None  # there was no such version


def without(content, *names):
    return {name: value for name, value in content.items() if name not in names}


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"version": 2}, "its record has version 2, this one reads 1"),
        ({"version": 3, "key": 7}, "its record has version 3, this one reads 1"),
        ({"reviewed_by": "a later version"}, "this one does not know the field 'reviewed_by'"),
        ({"scores": [{"metric": "top1", "value": 0.5, "baseline": None, "error": 1}]}, "the field 'scores.0.error'"),
    ],
)
def test_a_run_of_a_newer_version_is_refused_and_never_overwritten(store, capsys, changes, problem):
    store.write(run_of())
    path = store.path(run_of().key)
    changed(path, **changes)
    written = path.read_bytes()
    for use in (store.get, store.find):
        with pytest.raises(NewerRecordError, match="written by a newer version of video-harness") as refused:
            use(run_of().key)
        assert str(path) in str(refused.value)
        assert problem in str(refused.value)
        assert "HARNESS_HOME" in str(refused.value)
    with pytest.raises(NewerRecordError):
        store.write(run_of())
    assert list(store) == []
    assert store.readable(run_of().key) is None
    (line,) = capsys.readouterr().err.splitlines()  # said once
    assert "written by a newer version" in line
    (complaint,) = store.broken()
    assert "delete" not in complaint
    assert path.read_bytes() == written


def test_a_disk_that_is_full_or_a_file_in_the_way_is_an_error_of_the_store(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    (tmp_path / "store").write_text("")
    for use in (lambda store: store.get("a"), lambda store: store.write(run_of())):
        with pytest.raises(StoreError, match="a folder is expected and this is a file"):
            use(Store(tmp_path / "store"))

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files.Path, "write_bytes", full)
    store = Store(tmp_path / "other")
    with pytest.raises(StoreError, match=r"no space left on the disk .*HARNESS_HOME") as error:
        store.write(run_of())
    assert str(store.path(run_of().key)) in str(error.value)
    monkeypatch.undo()
    assert store.get(run_of().key) is None
    store.write(run_of())
    assert store.get(run_of().key) == run_of()


def test_the_status_of_a_run_is_that_of_the_whole_record(store):
    for status in ("done", "oom"):
        run = run_of(status=status, notes={"status": "none", "version": 7})
        store.write(run)
        assert store.status(run.key) == store.get(run.key).status == status
    assert store.status("f" * 20) is None
    path = store.path(run.key)
    path.write_bytes(path.read_bytes().replace(b'"oom"', b'"done"'))
    assert store.status(run.key) is None, "a damaged record has none"
    assert not path.exists()


def test_sets_of_classes_are_written_where_there_are_any(store):
    predictions = Predictions(("a", "b"), ("", ""), (0, 0), multilabels=((0, 2), ()))
    run = run_of(predictions=predictions)
    store.write(run)
    assert store.get(run.key).predictions == predictions
    assert '"multilabels"' in store.path(run.key).read_text()
    other = run_of("cd" * 10)
    store.write(other)
    assert '"multilabels"' not in store.path(other.key).read_text()
    for path in map(store.path, (run.key, other.key)):
        jsonschema.validate(json.loads(path.read_text()), run_schema())
