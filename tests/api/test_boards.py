"""Boards as objects, and folders only where asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import api
from harness.api.boards import stored_picture
from harness.errors import DataError, UsageError
from harness.store.runs import Store


@pytest.fixture
def store(tmp_path):
    runs = Store(tmp_path / "runs")
    path = runs.picture("a" * 20, "confusion")
    path.parent.mkdir(parents=True)
    path.write_bytes(b"png")
    return runs


def test_a_board_of_a_suite_is_an_object_and_writes_nothing(toy, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    board = api.leaderboard("toy", changes=["seeds=[3]"])
    assert board.command == "harness run toy --set 'seeds=[3]'"
    assert {cell.identity.seed for cell in board.planned} == {3}
    assert {cell.status for row in board.rows for cell in row.cells} == {"missing"}
    assert not (tmp_path / "leaderboards").exists()
    assert api.publish(board) == Path("leaderboards/toy")
    again = api.leaderboard(tmp_path / "leaderboards" / "toy")
    assert (again.rows, again.pictures) == (board.rows, board.pictures)


def test_errors_are_the_harnesss_own(toy, tmp_path):
    with pytest.raises(UsageError, match="did you mean 'toy'"):
        api.leaderboard("tpy")
    with pytest.raises(DataError, match=r"results\.json does not exist"):
        api.leaderboard(tmp_path)


def test_a_picture_is_read(store, capsys):
    assert stored_picture(store, "a" * 20, "confusion") == b"png"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["skeletons", "../secret", "/etc/passwd", ""])
def test_what_is_not_there_or_no_short_name_is_left_out_with_a_line(store, name, capsys):
    (store.folder / "pictures" / "secret.png").write_bytes(b"secret")
    assert stored_picture(store, "a" * 20, name) is None
    said = capsys.readouterr()
    assert repr(name) in said.err
    assert said.out == ""
