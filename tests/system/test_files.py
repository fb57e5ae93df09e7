"""Files that are whole or absent."""

from __future__ import annotations

import subprocess
import sys

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


def test_killed_while_writing(tmp_path):
    """A reader never sees half a file, whenever the writer is killed."""
    code = (
        "import sys, pathlib; from harness import atomic\n"
        "path = pathlib.Path(sys.argv[1]); print('go', flush=True)\n"
        "while True: atomic.write_text(path, 'x' * 3_000_000 + 'end')\n"
    )
    path = tmp_path / "file"
    for wait in (0.01, 0.03, 0.05):
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout.readline() == b"go\n"
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(wait)
            writer.kill()
        assert not path.exists() or path.read_text().endswith("end")
