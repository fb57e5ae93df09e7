"""The folder of a board: complete, deterministic, and the same numbers in every file."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time

import pytest

from harness.leaderboard.render import board_files, render


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_rendering_twice_gives_the_same_bytes_at_any_time(small_board, tmp_path, monkeypatch):
    render(small_board, tmp_path / "one")
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    render(small_board, tmp_path / "other")
    monkeypatch.undo()
    time.tzset()
    assert content(tmp_path / "one") == content(tmp_path / "other")
    names = {"README.md", "index.html", "plot.png", "picture-1.png", "results.json", "table.csv"}
    assert set(content(tmp_path / "one")) == names


def test_pictures_of_an_earlier_version_go_and_other_files_stay(small_board, tmp_path):
    (tmp_path / "picture-7.png").write_bytes(b"old")
    (tmp_path / "notes.txt").write_text("mine")
    render(small_board, tmp_path)
    assert not (tmp_path / "picture-7.png").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_a_failing_disk_leaves_each_file_whole(small_board, tmp_path, monkeypatch):
    render(small_board, tmp_path)
    before = content(tmp_path)

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        render(small_board, tmp_path)
    assert content(tmp_path) == before


def test_all_files_say_the_same_numbers(troubled_board):
    written = board_files(troubled_board)
    lines = list(csv.DictReader(io.StringIO(written["table.csv"].decode())))
    table = json.loads(written["results.json"])["table"]
    cells = [(row, cell) for row in table for cell in row["cells"]]
    assert len(lines) == len(cells) == 35
    readme = written["README.md"].decode()
    page = written["index.html"].decode()
    seen = 0
    for line, (row, cell) in zip(lines, cells, strict=True):
        assert (line["method"], line["evaluator"], line["status"]) == (row["method"], cell["evaluator"], cell["status"])
        if cell["interval"] is None:
            assert line["mean"] == line["low"] == line["high"] == line["chance"] == ""
            continue
        seen += 1
        scale, digits = (100, 1) if line["unit"] == "%" else (1, 2)
        shown = []
        for name in ("mean", "low", "high"):
            assert float(line[name]) == pytest.approx(scale * cell["interval"][name], abs=1e-4)
            shown.append(f"{scale * cell['interval'][name]:.{digits}f}")
        assert re.search(rf"\*{{0,2}}{shown[0]}\*{{0,2}} \[{shown[1]}, {shown[2]}\]", readme)
        assert f'<span class="mean">{shown[0]}</span>\n<span class="span">{shown[1]}–{shown[2]}</span>' in page
    assert seen == 33
