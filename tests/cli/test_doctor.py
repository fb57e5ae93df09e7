"""`harness doctor`: every check is reported, whatever is wrong."""

from __future__ import annotations

import errno
import importlib
import importlib.metadata
import json
import re
from pathlib import Path

import pytest

from harness.cli.doctor import IMPORTED_AS
from harness.store import faults
from harness.system import files, paths


def test_doctor(harness_process, broken):
    done = harness_process("doctor", "--json")
    assert done.returncode == 1
    checks = {check["name"]: check for check in json.loads(done.stdout)}
    assert not checks["plugin raises"]["ok"]
    others = [check for name, check in checks.items() if name.removeprefix("plugin ") not in broken]
    assert all(check["ok"] for check in others), others
    assert "PyAV" in checks["video decoder"]["found"]


def test_a_plugin_that_ends_its_process_is_named(harness_process, distribution):
    distribution("aborts", "import os\nos.abort()")
    done = harness_process("doctor")
    (line,) = wrong(done)
    assert "plugin aborts" in line
    memory = r"(; it had [0-9.]+ GiB of memory)?"  # where it lived long enough to be looked at
    assert re.search(f"ended by signal 6, SIGABRT{memory} when it was imported; --block aborts leaves it out", line)


def test_a_sound_environment_is_said_to_be(harness):
    done = harness("doctor")
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    assert lines[0].split() == ["check", "found"]
    assert {line.split()[0] for line in lines[1:]} == {"ok"}
    assert any(line.split()[1:3] == ["plugin", "toy"] for line in lines)


def wrong(done):
    assert done.returncode == 1, done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("WRONG")]


def test_a_damaged_run_is_found_and_left(harness):
    path = paths.store() / "runs" / "abc.json"
    files.write_text(path, "{}")
    (line,) = wrong(harness("doctor"))
    assert f"{path}: damaged (it is not a run of version 1" in line
    assert "harness run" in line
    assert path.exists()


def test_a_newer_run_is_not_to_be_deleted(harness):
    files.write_text(paths.store() / "runs" / "abc.json", '{"version": 2}')
    (line,) = wrong(harness("doctor"))
    assert "written by a newer version of video-harness" in line
    assert "delete" not in line


def test_the_whole_store_is_checked_and_mended_when_asked(harness):
    whole = harness("doctor", "--store")
    assert whole.returncode == 0, whole.stdout
    damaged = [paths.store() / "features" / "a.npy", paths.flow() / "ab" / "abc.zip"]
    for path in damaged:
        files.write_text(path, "x")
    assert harness("doctor").returncode == 0
    lines = wrong(harness("doctor", "--store"))
    for line, path in zip(lines, damaged, strict=True):
        assert f"{path}: damaged (" in line
        assert "harness doctor --store --mend" in line
        assert path.exists()
    mended = harness("doctor", "--store", "--mend")
    assert mended.returncode == 0
    assert [path.exists() for path in damaged] == [False, False]
    kept = sorted(path.relative_to(paths.store()).as_posix() for path in (paths.store() / "damaged").rglob("*.*"))
    assert kept == ["damaged/features/a.npy", "damaged/flow/abc.zip"]
    assert "set aside as" in mended.stdout
    assert harness("doctor", "--store").returncode == 0
    assert harness("doctor", "--mend").returncode == 2


def test_a_home_that_is_a_file_is_found(harness, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "file"))
    (line,) = wrong(harness("doctor"))
    assert f"{tmp_path / 'file'}: a folder is expected and this is a file" in line
    assert "HARNESS_HOME" in line


@pytest.mark.parametrize(
    ("number", "problem"), [(errno.ENOSPC, "no space left on the disk"), (errno.EACCES, "permission denied")]
)
def test_a_home_that_cannot_be_written_is_found(harness, monkeypatch, number, problem):
    def fails(**how):
        raise OSError(number, "words")

    monkeypatch.setattr(faults.tempfile, "TemporaryFile", fails)
    (line,) = wrong(harness("doctor"))
    assert problem in line
    assert "HARNESS_HOME" in line


def test_a_broken_file_of_locations_is_found(harness, monkeypatch, tmp_path):
    (tmp_path / "locations.yaml").write_text("datasets: [1")
    monkeypatch.setenv("HARNESS_CONFIG", str(tmp_path / "locations.yaml"))
    (line,) = wrong(harness("doctor"))
    assert str(tmp_path / "locations.yaml") in line


def test_a_library_that_cannot_be_imported_is_found(harness, monkeypatch):
    def imported(name, package=None):
        if name == "cv2":
            msg = "libGL.so.1: cannot open shared object file"
            raise ImportError(msg)
        if name == "altair":
            msg = "No module named 'altair'"
            raise ModuleNotFoundError(msg)
        return import_module(name, package)

    import_module = importlib.import_module
    monkeypatch.setattr(importlib, "import_module", imported)
    lines = {line.split()[2]: line for line in wrong(harness("doctor")) if line.split()[1] == "library"}
    assert lines.keys() == {"opencv-contrib-python-headless", "altair"}
    assert "ImportError: libGL.so.1" in lines["opencv-contrib-python-headless"]
    assert "; pip install --force-reinstall 'opencv-contrib" in lines["opencv-contrib-python-headless"]
    assert "; pip install 'altair" in lines["altair"]


def test_a_library_of_a_version_that_does_not_work_is_found(harness, monkeypatch):
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "17.0.1" if name == "av" else version(name))
    (line,) = (line for line in wrong(harness("doctor")) if "library" in line)
    assert " av " in line
    assert "17.0.1 is installed, which does not work; pip install 'av>=17.1'" in line


def test_every_library_is_known_by_the_name_that_is_imported():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    listed = text.partition("\ndependencies = [")[2].partition("]")[0].lower()
    assert all(f'"{name}' in listed for name in IMPORTED_AS)
