"""Files that are whole or absent."""

from __future__ import annotations

import errno
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


def test_a_full_disk_keeps_the_old_content(tmp_path, monkeypatch):
    path = tmp_path / "file"
    files.write_text(path, "old")
    write_bytes = Path.write_bytes

    def write_half(path, content):
        write_bytes(path, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(OSError, match="No space left"):
        files.write_text(path, "something new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


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
