"""Files that are whole or absent."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from harness.system import files


def test_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "deep" / "file.json"
    files.write_json(path, {"b": 1, "a": "ü"})
    files.write_json(path, {"b": 2})
    assert path.read_text() == '{\n "b": 2\n}\n'
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_keeps_the_old_content(tmp_path):
    path = tmp_path / "file.json"
    files.write_json(path, 1)
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, float("nan"))
    with pytest.raises(FileNotFoundError), files.replacing(path) as temporary:
        temporary.with_name("missing").read_text()
    assert path.read_text() == "1\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["there", "new", "deep/new", "there/."])
def test_a_folder_is_filled_whole_or_not_at_all(tmp_path, name):
    (tmp_path / "there").mkdir()
    with pytest.raises(KeyboardInterrupt), files.filling(tmp_path / name) as temporary:
        (temporary / "half").touch()
        raise KeyboardInterrupt
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    with files.filling(tmp_path / name) as temporary:
        (temporary / "folder").mkdir()
        (temporary / "folder" / "file").touch()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [tmp_path / name / "folder" / "file"]
    assert not list(tmp_path.rglob(".*"))


def test_a_full_disk_keeps_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_text(path, "old")
    write_bytes = Path.write_bytes

    def write_half(path, content):
        write_bytes(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match="No space left") as error:
        files.write_text(path, "something new")
    assert error.value.filename == str(path)  # Python itself tells none
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_written_where_folders_cannot_be_opened(tmp_path, monkeypatch):
    """As on Windows."""
    opened = os.open

    def windows(path, flags, *rest, **named):
        if Path(path).is_dir():
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return opened(path, flags, *rest, **named)

    monkeypatch.setattr(files.os, "open", windows)
    files.write_text(tmp_path / "file", "new")
    assert (tmp_path / "file").read_text() == "new"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("number", "written"), [(errno.EINVAL, True), (errno.EBADF, True), (errno.EIO, False)])
def test_written_where_folders_cannot_be_synced(tmp_path, monkeypatch, number, written):
    """As on some network disks; what may be lost is told."""
    sync = os.fsync

    def no_folders(descriptor):
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        sync(descriptor)

    monkeypatch.setattr(files.os, "fsync", no_folders)
    with contextlib.nullcontext() if written else pytest.raises(OSError, match="Input/output error"):
        files.write_text(tmp_path / "file", "new")
    assert len(list(tmp_path.iterdir())) == 1


def test_killed_in_the_middle_of_writing(tmp_path):
    code = (
        "import sys, time, pathlib; from harness.system import files\n"
        "with files.replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half'); print('half', flush=True); time.sleep(60)\n"
    )
    path = tmp_path / "file"
    files.write_text(path, "old")
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"half\n"
        writer.kill()
    assert path.read_text() == "old"
