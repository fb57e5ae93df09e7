from __future__ import annotations

import os
import time

import pytest

from harness.gate.cache import IN_USE, KEPT, cached


def make(folder):
    with cached(folder) as complete:
        if not complete:
            folder.mkdir()
    return complete


def test_a_folder_is_made_once(tmp_path):
    assert [make(tmp_path / "cache" / "sources-1") for _ in range(3)] == [False, True, True]


def test_what_a_failure_left_is_removed(tmp_path):
    folder = tmp_path / "sources-1"
    with pytest.raises(RuntimeError), cached(folder):
        folder.mkdir()
        (folder / "half").touch()
        raise RuntimeError
    assert not make(folder)
    assert not (folder / "half").exists()


def test_those_used_last_are_kept_by_kind(tmp_path):
    make(tmp_path / "environment-1")
    folders = [tmp_path / f"sources-{number}" for number in range(KEPT + 2)]
    for number, folder in enumerate(folders):
        make(folder)
        os.utime(f"{folder}.done", (number, number))
        make(folders[0])  # used again each time
    assert [folder.name for folder in folders if folder.exists()] == [
        "sources-0",
        *(f"sources-{number}" for number in range(3, KEPT + 2)),
    ]
    assert (tmp_path / "environment-1").is_dir()


def test_those_that_may_be_in_use_are_kept(tmp_path):
    folders = [tmp_path / f"sources-{number}" for number in range(KEPT + 2)]
    for folder in folders:
        make(folder)
    assert all(folder.is_dir() for folder in folders)
    hours_ago = time.time() - IN_USE - 1
    os.utime(f"{folders[3]}.done", (hours_ago, hours_ago))
    make(folders[0])
    assert [folder for folder in folders if not folder.exists()] == [folders[3]]
