"""Places to write to: what cannot be is said at once, by every verb that writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.cli.destination import expect_file, expect_folder
from harness.errors import UsageError


@pytest.mark.parametrize("name", ["there", "new", "new/deep/er", "."])
def test_folders_that_can_be(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path("there").mkdir()
    for path in (Path(name), tmp_path / name):
        expect_folder("-o", path)
        expect_file("-o", path / "a.png")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_what_is_no_folder(tmp_path):
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(tmp_path / "nothing")
    for path in (file, file / "below", link):
        with pytest.raises(UsageError, match=rf"^-o {path}: expected a folder, .* is a file"):
            expect_folder("-o", path)
    with pytest.raises(UsageError, match=r"^-o .*: File name too long; give another folder$"):
        expect_folder("-o", tmp_path / ("x" * 300))
    with pytest.raises(UsageError, match=rf"^-o {tmp_path}: expected a file"):
        expect_file("-o", tmp_path)


def test_a_folder_that_may_not_be_written_to(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write anywhere
    with pytest.raises(UsageError, match=rf"^-o {tmp_path}/new: {tmp_path} may not be written to"):
        expect_folder("-o", tmp_path / "new")


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["run", "toy", "-o"], "-o"),
        (["leaderboard", "toy", "-o"], "-o"),
        (["map", "0", "-o"], "-o"),
        (["export", "0", "-o"], "-o"),
        (["show", "0", "--pictures"], "--pictures"),
        (["dataset", "show", "blobs", "-o"], "-o"),
        (["claims", "claims.yaml", "board", "--readme"], "--readme"),
    ],
)
def test_every_verb_says_so_before_it_works(harness, toy, arguments, option):
    (harness.folder / "taken").touch()
    done = harness(*arguments, "taken/below")
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(f"harness: {option} taken")
    assert done.stderr.endswith(": expected a folder, taken is a file; give another\n")
    assert done.stdout == ""
    assert toy.read_text() == ""


def test_the_usual_folder_of_boards_is_looked_at_too(harness, toy):
    (harness.folder / "leaderboards").touch()
    done = harness("run", "toy")
    assert done.returncode == 2
    assert "expected a folder, leaderboards is a file; give another" in done.stderr
    assert "-o" in done.stderr
    assert toy.read_text() == ""
