"""Archives of runs: equal ones for equal runs, and nothing that is damaged or foreign is taken for a run."""

from __future__ import annotations

import zipfile

import pytest

from harness.errors import DataError
from harness.store.archive import ABOUT, Archive, write_archive
from harness.store.choices import Choice
from harness.store.records import CellSpec, Run
from harness.store.runs import Store

KEY = "0123456789abcdef"


@pytest.fixture
def packed(tmp_path):
    """A store with one run and its picture, and the archive of it."""
    knn = Choice(name="knn")
    cell = CellSpec(method=knn, backbone=None, pretraining=None, frames=None, evaluator=knn, data=knn, seed=0)
    about = {"status": "done", "supervised": False, "protocol": {"a": 1}, "protocol_id": "p", "provenance": {}}
    run = Run(key=KEY, fit_key="f", identity=cell, pictures=("confusion",), **about)
    store = Store(tmp_path / "store")
    store.write(run, {"confusion": b"\x89PNG\r\n\x1a\nrest"})
    write_archive(tmp_path / "a.zip", store, [run], {"suite": "toy"})
    return tmp_path / "a.zip", store, run


def rewritten(path, changes):
    """Another archive, with members replaced, left out (None) or added."""
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()} | changes
    other = path.with_name("other.zip")
    with zipfile.ZipFile(other, "w") as archive:
        for name, text in content.items():
            if text is not None:
                archive.writestr(name, text)
    return other


def test_what_is_packed_is_read(packed):
    path, _, run = packed
    with Archive.open(path) as archive:
        assert archive.runs == (KEY,)
        assert archive.read(KEY) == run
        assert archive.pictures(run) == {"confusion": b"\x89PNG\r\n\x1a\nrest"}


def test_equal_runs_make_equal_archives(packed):
    path, store, run = packed
    write_archive(path.with_name("again.zip"), store, [run], {"suite": "toy"})
    assert path.with_name("again.zip").read_bytes() == path.read_bytes()


def test_a_picture_that_is_gone_is_named_with_its_run(packed):
    path, store, run = packed
    store.picture(KEY, "confusion").unlink()
    with pytest.raises(DataError, match=f"confusion.png: gone, a picture of run {KEY}; delete .*{KEY}.json and run"):
        write_archive(path.with_name("again.zip"), store, [run], {"suite": "toy"})
    assert not path.with_name("again.zip").exists()


def test_a_record_that_was_changed_is_damaged(packed):
    path, _, _ = packed
    with zipfile.ZipFile(path) as archive:
        record = archive.read(f"runs/{KEY}.json")
    changed = rewritten(path, {f"runs/{KEY}.json": record.replace(b'"done"', b'"oom"')})
    with Archive.open(changed) as archive, pytest.raises(DataError, match=f"{KEY}.json: damaged"):
        archive.read(KEY)


@pytest.mark.parametrize("content", [None, b"GIF89a"])
def test_a_picture_that_is_missing_or_none_is_named(packed, content):
    path, _, run = packed
    changed = rewritten(path, {f"pictures/{KEY}/confusion.png": content})
    with Archive.open(changed) as archive, pytest.raises(DataError, match=r"confusion\.png"):
        archive.pictures(run)


def test_other_names_are_never_read(packed):
    path, _, _ = packed
    names = ("../runs/abcdefabcdef.json", "runs/../../x.json", "/runs/abcdefabcdef.json", "runs/ABC.json", "evil.py")
    with Archive.open(rewritten(path, dict.fromkeys(names, b"{}"))) as archive:
        assert archive.runs == (KEY,)


@pytest.mark.parametrize(
    ("changes", "said"), [({ABOUT: None}, "no archive"), ({ABOUT: b'{"format": 2}'}, "format is 2")]
)
def test_an_archive_of_another_kind_is_named(packed, changes, said):
    with pytest.raises(DataError, match=said), Archive.open(rewritten(packed[0], changes)):
        pass


def test_a_file_that_is_no_zip_is_named(tmp_path):
    (tmp_path / "x").write_bytes(b"x" * 100)
    with pytest.raises(DataError, match="no archive of `harness pack`"), Archive.open(tmp_path / "x"):
        pass


def test_a_run_with_a_picture_outside_of_its_folder_is_refused(packed):
    with pytest.raises(ValueError, match="pictures"):
        Run.model_validate({**packed[2].model_dump(), "pictures": ("../../x",)})


def test_a_member_that_would_become_too_large_is_refused(packed):
    path, _, _ = packed
    bomb = path.with_name("bomb.zip")
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, '{"format": 1}')
        archive.writestr(f"runs/{KEY}.json", b" " * 5_000_000)
    with Archive.open(bomb) as archive, pytest.raises(DataError, match="it would become 5,000,000 bytes"):
        archive.read(KEY)


def test_a_bomb_that_says_what_an_archive_is_of_is_refused(tmp_path):
    bomb = tmp_path / "bomb.zip"
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(ABOUT, '{"format": 1, "x": [' + "[]," * 400_000 + "[]]}")
    with pytest.raises(DataError, match=r"pack\.json has 1,\d+,\d+ bytes, expected"), Archive.open(bomb):
        pass


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_member_is_named(packed, method):
    other = packed[0].with_name("other.zip")
    with zipfile.ZipFile(other, "w", method) as archive:
        archive.writestr(ABOUT, '{"format": 1}', zipfile.ZIP_STORED)
        archive.writestr(f"runs/{KEY}.json", bytes(range(256)) * 40)
        place = archive.getinfo(f"runs/{KEY}.json").header_offset + 70
    content = bytearray(other.read_bytes())
    content[place : place + 8] = b"\xff" * 8
    other.write_bytes(content)
    with Archive.open(other) as archive, pytest.raises(DataError, match=rf"{KEY}\.json: damaged"):
        archive.read(KEY)
