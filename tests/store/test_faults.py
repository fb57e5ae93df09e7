"""Faults of the store's disk, told from those of methods and data."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from harness.errors import DataError, StoreError
from harness.store import faults
from harness.store.faults import expect_usable, store_fault, storing, unusable


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "store"
    folder.mkdir(parents=True)
    return folder


def of(number, path=None):
    return OSError(number, os.strerror(number), None if path is None else str(path))


@pytest.mark.parametrize(
    ("number", "problem"),
    [
        (errno.ENOSPC, "no space left on the disk ("),
        (errno.EDQUOT, "the disk quota is used up"),
        (errno.EFBIG, "the file is larger than the disk"),
        (errno.EROFS, "the disk is mounted read-only"),
        (errno.EACCES, "permission denied"),
        (errno.EPERM, "permission denied"),
        (errno.EIO, "the disk gives input/output errors"),
    ],
)
def test_a_fault_of_the_disk_names_path_and_variable(store, number, problem):
    for path in (store / "fits" / "x" / "a b", store.parent / "datasets", store):
        line = store_fault(of(number, path), store)
        assert line.startswith(f"{path}: {problem}")
        assert f"HARNESS_HOME (now {store.parent})" in line
        assert line.endswith("; the same command then goes on")
        assert "\n" not in line
    assert store_fault(of(number, "/elsewhere/data.avi"), store) == ""
    assert store_fault(of(number, f"{store.parent}-of-another/data.avi"), store) == ""


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_a_full_disk_of_which_no_file_is_known_is_the_stores(store, number):
    line = store_fault(of(number), store)
    assert line.startswith(f"{store}: ")
    if number == errno.ENOSPC:
        assert " GB free there" in line


@pytest.mark.parametrize(
    "error",
    [
        ValueError("no space left on device"),
        RuntimeError("CUDA error: out of memory"),
        OSError("cannot identify image file"),
        DataError("x.avi: truncated"),
        of(errno.EACCES),
        of(errno.EIO),
        RuntimeError("unable to write to file </torch_1>: No space left on device (28)"),  # shared memory
        RuntimeError("PytorchStreamReader failed reading zip archive: failed finding central directory"),
        FileNotFoundError(errno.ENOENT, "No such file or directory", "{store}/fits/x/own.txt"),
        FileExistsError(errno.EEXIST, "File exists", "{store}/fits/x/own"),
    ],
)
def test_other_errors_are_none_of_the_store(store, error):
    if isinstance(error, OSError) and error.filename:
        error = type(error)(error.errno, error.strerror, error.filename.format(store=store))
    assert store_fault(error, store) == ""


def test_the_errors_that_an_error_came_from_are_looked_at(store):
    outer = RuntimeError("the checkpoint was not written")
    outer.__cause__ = of(errno.ENOSPC, store / "x")
    assert "no space left" in store_fault(outer, store)
    outer = ValueError("while handling it")
    outer.__context__ = StoreError("the store says so")
    assert store_fault(outer, store) == "the store says so"
    circle = ValueError()
    circle.__cause__ = circle
    assert store_fault(circle, store) == ""


WRITERS = """
import resource, sys
from pathlib import Path
import numpy as np, safetensors.torch, torch
from harness.store.faults import store_fault

folder = Path(sys.argv[1])
weights = {"a": torch.zeros(10**5)}
writers = {
    "torch": lambda: torch.save(weights, folder / "a.pt"),
    "torch, open file": lambda: torch.save(weights, (folder / "b.pt").open("wb")),
    "safetensors": lambda: safetensors.torch.save_file(weights, folder / "a.safetensors"),
    "numpy": lambda: np.save(folder / "a.npy", np.zeros(10**5)),
    "text": lambda: (folder / "a.txt").write_bytes(bytes(10**6)),
}
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
for name, write in writers.items():
    try:
        write()
    except Exception as error:
        print(name, "|", store_fault(error, folder))
"""


def test_the_libraries_words_for_a_full_disk_are_known(store):
    done = subprocess.run([sys.executable, "-c", WRITERS, str(store)], capture_output=True, text=True, check=True)
    lines = dict(line.split(" | ") for line in done.stdout.splitlines())
    assert list(lines) == ["torch", "torch, open file", "safetensors", "numpy", "text"]
    for line in lines.values():
        assert line.startswith(f"{store}: ")
        assert "HARNESS_HOME" in line


DENIED = """
import os, sys, tempfile
from pathlib import Path
import safetensors.torch, torch
from harness.store.faults import store_fault, unusable

folder, weights = Path(sys.argv[1]), {"a": torch.zeros(4)}
with tempfile.TemporaryDirectory() as scratch:  # imports what that other user may not read
    torch.save(weights, f"{scratch}/a.pt")
    safetensors.torch.save_file(weights, f"{scratch}/a.safetensors")
if os.geteuid() == 0:
    os.setegid(65534)
    os.seteuid(65534)  # root may write everywhere
writers = {
    "torch": lambda: torch.save(weights, folder / "a.pt"),
    "safetensors": lambda: safetensors.torch.save_file(weights, folder / "a.safetensors"),
    "folder": lambda: (folder / "a" / "b").mkdir(parents=True),
    "text": lambda: (folder / "a.txt").write_bytes(b"1"),
    "none": lambda: (_ for _ in ()).throw(ValueError("its own fault")),
}
for name, write in writers.items():
    try:
        write()
    except Exception as error:
        print(name, "|", store_fault(error, folder))
print("unusable", "|", unusable(folder))
"""


def test_a_missing_permission_is_known():
    """As another user than root, who passes every permission, in a folder below no other user's."""
    with tempfile.TemporaryDirectory() as store:
        Path(store).chmod(0o555)
        done = subprocess.run([sys.executable, "-c", DENIED, store], capture_output=True, text=True, check=True)
    lines = dict(line.split(" | ") for line in done.stdout.replace(" | \n", " | -\n").splitlines())
    assert lines.pop("none") == "-"
    assert list(lines) == ["torch", "safetensors", "folder", "text", "unusable"]
    for line in lines.values():
        assert "permission denied" in line
        assert store in line


def test_a_folder_that_cannot_be_made_or_written_is_told_beforehand(store, monkeypatch):
    assert unusable(store) == ""
    assert unusable(store / "not" / "yet") == ""
    assert list(store.iterdir()) == []
    (store / "file").write_text("")
    assert unusable(store / "file" / "x").startswith(f"{store / 'file'}: a folder is expected and this is a file")
    (store / "link").symlink_to(store / "nowhere")
    assert unusable(store / "link").startswith(f"{store / 'link'}: a folder is expected")

    def full(**how):
        raise of(errno.ENOSPC)

    monkeypatch.setattr(faults.tempfile, "TemporaryFile", full)
    assert "no space left on the disk" in unusable(store)


def test_a_file_in_the_way_of_a_stores_folder_is_its_fault_and_no_other(store):
    for name, own in {"runs": True, "fits/k/own": False}.items():
        place = store / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("")
        for make in (place.mkdir, (place / "x").mkdir, (place / "x").read_text):
            with pytest.raises(OSError, match=r"exists|directory") as error:
                make()
            line = store_fault(error.value, store)
            assert line.startswith(f"{place}: a folder is expected and this is a file") is own
            assert bool(line) is own


def test_only_faults_of_the_store_become_its_errors(store):
    with pytest.raises(StoreError, match="HARNESS_HOME"), storing(store):
        raise of(errno.ENOSPC)
    with pytest.raises(FileNotFoundError), storing(store):
        (store / "absent").read_text()


def test_a_folder_that_is_expected_to_be_usable_is_or_is_named(store):
    expect_usable(store / "new")
    (store / "file").write_text("")
    with pytest.raises(StoreError, match="a folder is expected and this is a file"):
        expect_usable(store / "file" / "new")
    (store / "features").write_text("")
    with pytest.raises(StoreError, match=f"{store / 'features'}: a folder is expected"):
        expect_usable(store)
