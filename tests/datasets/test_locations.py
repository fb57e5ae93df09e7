"""Locations of data sets: a suite, the environment, the user's configuration."""

from __future__ import annotations

import errno
import os
import pickle
from pathlib import Path

import pytest

from harness.datasets import locations
from harness.datasets.manifest_file import read
from harness.datasets.ucf101 import UCF101
from harness.errors import DataError, UsageError


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Three folders: that of the suite, of the environment and of the configuration."""
    folders = [tmp_path / name for name in ("suite", "environment", "configuration")]
    for folder in folders:
        folder.mkdir()
    monkeypatch.setenv(locations.variable("ucf101"), str(folders[1]))
    locations.remember("ucf101", folders[2])
    return folders


def test_the_suite_comes_first_then_the_environment_then_the_configuration(folders, monkeypatch):
    suite, environment, configuration = folders
    assert locations.located("ucf101", suite) == suite
    assert locations.located("ucf101") == environment
    monkeypatch.delenv(locations.variable("ucf101"))
    assert locations.located("ucf101") == configuration
    assert locations.located("hmdb51", suite) == suite
    with pytest.raises(UsageError, match="'hmdb51': nothing says where it lies; run `harness dataset add hmdb51"):
        locations.located("hmdb51")


def test_what_says_so_is_named_where_nothing_is(folders, monkeypatch):
    with pytest.raises(DataError, match="`paths` of the suite says that it lies at /nowhere, where nothing is"):
        locations.located("ucf101", Path("/nowhere"))
    monkeypatch.setenv(locations.variable("ucf101"), "/nowhere")
    with pytest.raises(DataError, match=r"\$HARNESS_DATA_UCF101 says"):
        locations.located("ucf101")
    with pytest.raises(DataError, match="lies at ~nobody-has-this-name/x, a home folder of nobody"):
        locations.located("ucf101", Path("~nobody-has-this-name/x"))


def test_remembering_gives_what_it_replaces(folders):
    assert locations.remember("ucf101", folders[0]) == folders[2]
    assert locations.remember("hmdb51", folders[0]) is None
    assert locations.remembered() == {"ucf101": str(folders[0]), "hmdb51": str(folders[0])}


def test_a_path_that_is_no_utf8_is_refused_before_the_configuration_is_touched(folders):
    before = locations.remembered()
    with pytest.raises(UsageError, match=r"in UTF-8 alone; set \$HARNESS_DATA_HMDB51, or rename"):
        locations.remember("hmdb51", Path("/data/caf\udce9"))
    assert locations.remembered() == before


def test_a_data_set_takes_its_location_with_it_and_leaves_the_process_alone(folders):
    environment = dict(os.environ)
    data = UCF101(location=folders[0])
    assert pickle.loads(pickle.dumps(data)).location == data.location == folders[0]
    assert UCF101().location == folders[1]
    assert dict(os.environ) == environment


def absent_in(unreachable, real):
    return lambda path, **how: path not in unreachable and real(path, **how)


@pytest.fixture
def gone(monkeypatch):
    """Let the system not tell whether some paths are there, as when a server is gone."""
    unreachable = set()
    real = Path.stat

    def told(path, **how):
        if path in unreachable:
            raise OSError(errno.ESTALE, "Stale file handle")
        return real(path, **how)

    monkeypatch.setattr(Path, "stat", told)
    for name in ("exists", "is_file", "is_dir"):  # which take an error for absent from Python 3.14 on
        monkeypatch.setattr(Path, name, absent_in(unreachable, getattr(Path, name)))
    return unreachable


def test_a_configuration_that_cannot_be_reached_keeps_its_locations(folders, gone):
    gone.add(locations.paths.locations())
    with pytest.raises(DataError, match="cannot be reached"):
        locations.remember("hmdb51", folders[0])
    gone.clear()
    assert locations.remembered() == {"ucf101": str(folders[2])}


def test_a_place_that_cannot_be_reached_is_not_passed_over(folders, gone):
    suite = folders[0]
    for name in ("a", "b"):
        (suite / name).mkdir()
        (suite / name / "list.txt").touch()
    gone.add(suite / "a" / "list.txt")
    with pytest.raises(DataError, match=r"list\.txt: cannot be reached \(Stale"):
        locations.holding("ucf101", suite, "list.txt", ("a", "b"), "fetch it")
    gone.add(suite)
    with pytest.raises(DataError, match=r"suite: cannot be reached \(Stale file handle\); check its permissions"):
        locations.located("ucf101", suite)


def test_a_manifest_that_cannot_be_reached(folders, gone):
    file = folders[0] / "manifest.csv"
    file.write_text("path,split,label\n")
    gone.add(file)
    with pytest.raises(DataError, match=r"cannot be read as CSV .*Stale file handle"):
        read(file)


def test_a_configuration_that_is_wrong(folders, monkeypatch):
    monkeypatch.delenv(locations.variable("ucf101"))
    for text in (
        "datasets: [ucf101]",
        "datasets: {ucf101: [x]}",
        "- x",
        "datasets: {a: b, a: c}",
        "datasets: [",
        "x: .nan",
    ):
        locations.paths.locations().write_text(text)
        with pytest.raises(DataError, match=r"should hold `datasets: .name: /path.` and nothing else"):
            locations.located("ucf101")
    locations.paths.locations().write_bytes(b"datasets: {ucf101: caf\xe9}")
    with pytest.raises(DataError, match=r"expected UTF-8, got the byte 0xe9.* should hold"):
        locations.located("ucf101")


def test_the_first_place_that_holds_what_is_published(tmp_path):
    (tmp_path / "b" / "lists").mkdir(parents=True)
    assert locations.holding("x", tmp_path, "lists/", ("", "a", "b"), "unpack it") == tmp_path / "b"
    assert locations.holding("x", tmp_path / "b" / "c", "lists/", ("..",), "unpack it") == tmp_path / "b"
    with pytest.raises(DataError, match=r"'x': no lists/ in .* or in a below it; unpack it"):
        locations.holding("x", tmp_path, "lists/", ("", "a"), "unpack it")
