"""Folders, also of a user whom the system knows no home folder of."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.errors import UsageError
from harness.system import paths

NOBODY = "import pwd\ndef getpwuid(uid): raise KeyError(uid)\npwd.getpwuid = getpwuid\n"


@pytest.fixture
def homeless(monkeypatch):
    for name in ("HOME", "HARNESS_HOME", "HARNESS_CONFIG", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {}[uid])


def test_a_user_without_a_home_has_that_of_the_harness(homeless, monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", "")  # so that what is set below is forgotten after the test
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    assert paths.home() == tmp_path
    assert Path.home() == tmp_path
    assert paths.locations() == tmp_path / ".config" / "video-harness" / "datasets.yaml"


def test_relative_folders_are_the_same_for_processes_that_stand_elsewhere(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_HOME", "home")
    monkeypatch.setenv("HARNESS_CONFIG", "places.yaml")
    monkeypatch.setenv("HARNESS_DATA_UCF101", "ucf")
    monkeypatch.setenv("HARNESS_DATA_HMDB51", "")  # as unset
    assert paths.home() == tmp_path / "home"
    assert paths.store() == tmp_path / "home" / "store"
    assert paths.locations() == tmp_path / "places.yaml"
    told = paths.variables()
    assert told["HARNESS_HOME"] == str(tmp_path / "home")
    assert told["HARNESS_CONFIG"] == str(tmp_path / "places.yaml")
    assert (told["HARNESS_DATA_UCF101"], told["HARNESS_DATA_HMDB51"]) == (str(tmp_path / "ucf"), "")


def test_a_user_without_any_home_is_told_what_to_set(homeless, monkeypatch):
    for ask in (paths.home, paths.locations, paths.ensure_home):
        with pytest.raises(UsageError, match="no home folder; set HARNESS_HOME"):
            ask()
    monkeypatch.setenv("HARNESS_HOME", "~/x")
    with pytest.raises(UsageError, match="no home folder; set HARNESS_HOME"):
        paths.home()


@pytest.mark.parametrize(("name", "place"), [("HARNESS_HOME", paths.home), ("HARNESS_CONFIG", paths.locations)])
def test_a_home_of_nobody_is_one_line(monkeypatch, name, place):
    monkeypatch.setenv(name, "~nobody-has-this-name/x")
    with pytest.raises(UsageError, match="~nobody-has-this-name/x: begins with a home folder of nobody"):
        place()


def test_a_home_that_is_known_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path / "own"))
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    paths.ensure_home()
    assert os.environ["HOME"] == str(tmp_path / "own")


@pytest.mark.parametrize("module", ["harness.training.loop", "harness.plugins.registry"])
def test_mmengine_is_imported_without_a_home(tmp_path, module):
    (tmp_path / "sitecustomize.py").write_text(NOBODY)
    code = f"import {module} as m\nm.strict_registry('x') if hasattr(m, 'strict_registry') else None\n"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
        "HARNESS_HOME": str(tmp_path),
    }
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
