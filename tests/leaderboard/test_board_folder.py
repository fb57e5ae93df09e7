"""The files of a board are replaced together, whatever stops the process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import filelock
import pytest

from harness.leaderboard import board_folder
from harness.leaderboard.board_folder import replace_files
from harness.system import files

OLD = {"README.md": b"old", "table.csv": b"old", "plot-2-knn.png": b"old"}
NEW = {"README.md": b"new", "table.csv": b"new", "plot-1-knn.png": b"new"}


def ours(name):
    return name.endswith((".md", ".csv", ".png"))


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "board"
    replace_files(folder, OLD, ours)
    assert content(folder) == OLD
    return folder


@pytest.fixture(params=["at once", "file by file"])
def either_way(request, monkeypatch):
    if request.param == "file by file":
        monkeypatch.setattr(board_folder, "_exchange", lambda one, other: False)


@pytest.mark.usefixtures("either_way")
def test_what_the_old_board_had_more_goes_and_files_of_others_stay(folder):
    (folder / "notes.txt").write_text("mine")
    folder.chmod(0o750)
    replace_files(folder, NEW, ours)
    assert content(folder) == {**NEW, "notes.txt": b"mine"}
    assert folder.stat().st_mode & 0o777 == 0o750
    assert [path.name for path in folder.parent.iterdir()] == ["board"]


@pytest.mark.usefixtures("either_way")
def test_files_within_folders_and_copies_are_replaced_with_them(folder, tmp_path):
    (tmp_path / "source").write_bytes(b"copied")
    old = {"boards/one/index.html": b"old", "boards/two/index.html": b"old", "table.csv": b"old"}
    own = {"boards", "table.csv", "README.md", "plot-2-knn.png"}
    replace_files(folder, old, own.__contains__)
    replace_files(folder, {"boards/one/index.html": tmp_path / "source"}, own.__contains__)
    assert {path.relative_to(folder).as_posix() for path in folder.rglob("*")} == {
        "boards",
        "boards/one",
        "boards/one/index.html",
    }
    assert (folder / "boards" / "one" / "index.html").read_bytes() == b"copied"


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it may be done file by file")
def test_nobody_ever_sees_a_mixture(folder, monkeypatch):
    """Files are written where nobody looks; the folder is another one in one step."""
    seen = []
    write = files.write_bytes

    def watched(path, body):
        write(path, body)
        seen.append(content(folder))

    monkeypatch.setattr(files, "write_bytes", watched)
    before = folder.stat().st_ino
    replace_files(folder, NEW, ours)
    assert seen == [OLD] * 3
    assert content(folder) == NEW
    assert folder.stat().st_ino != before


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_failure_in_the_middle_leaves_the_old_board(folder, monkeypatch, number):
    write, written = files.write_bytes, []

    def full(path, body):
        if len(written) == number:
            raise OSError(28, "No space left on device")
        written.append(path)
        write(path, body)

    monkeypatch.setattr(files, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        replace_files(folder, NEW, ours)
    assert content(folder) == OLD
    assert [path.name for path in folder.parent.iterdir()] == ["board"]


KILLED = """
import runpy, sys
from pathlib import Path
replace_files = runpy.run_path(sys.argv[2])["replace_files"]  # alone: the package loads everything that draws a board
folder = Path(sys.argv[1])
names = [f"file-{number}.md" for number in range(20)]
version = 0
while True:
    version += 1
    replace_files(folder, {name: str(version).encode() for name in names}, lambda name: name.endswith(".md"))
    print(version, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it may be done file by file")
def test_a_killed_process_leaves_one_version(tmp_path):
    folder = tmp_path / "board"
    for moment in (0.0, 0.004, 0.013, 0.029):
        command = [sys.executable, "-c", KILLED, str(folder), board_folder.__file__]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        for _ in range(2):
            process.stdout.readline()
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        versions = list(content(folder).values())
        assert len(versions) == 20
        assert len(set(versions)) == 1
    replace_files(folder, NEW, ours)
    assert content(folder) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["board"], "drafts of dead processes stay"


def test_a_folder_with_folders_or_that_is_stood_in_is_written_file_by_file(folder, monkeypatch):
    (folder / "mine").mkdir()
    before = folder.stat().st_ino
    replace_files(folder, NEW, ours)
    (folder / "mine").rmdir()
    assert content(folder) == NEW
    monkeypatch.chdir(folder)
    replace_files(folder, OLD, ours)
    assert content(folder) == OLD
    assert folder.stat().st_ino == before == Path.cwd().stat().st_ino


def test_a_draft_of_a_running_process_stays(folder):
    other = folder.with_name(".board.0123456789abcdef.tmp")
    other.mkdir()
    with filelock.FileLock(other.with_suffix(".lock")):
        replace_files(folder, NEW, ours)
        assert other.is_dir()
    replace_files(folder, OLD, ours)
    assert [path.name for path in folder.parent.iterdir()] == ["board"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it may be done file by file")
def test_a_draft_of_a_killed_process_whose_number_came_again_is_removed(folder):
    left = folder.with_name(f".board.{os.getpid()}.tmp")
    left.mkdir()
    before = folder.stat().st_ino
    replace_files(folder, NEW, ours)
    assert not left.exists()
    assert folder.stat().st_ino != before, "written file by file"
