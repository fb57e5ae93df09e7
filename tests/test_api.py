"""The Python interface: boards as objects, and folders only where asked for."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from harness import api
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
    assert api._stored_picture(store, "a" * 20, "confusion") == b"png"
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["skeletons", "../secret", "/etc/passwd", ""])
def test_what_is_not_there_or_no_short_name_is_left_out_with_a_line(store, name, capsys):
    (store.folder / "pictures" / "secret.png").write_bytes(b"secret")
    assert api._stored_picture(store, "a" * 20, name) is None
    said = capsys.readouterr()
    assert repr(name) in said.err
    assert said.out == ""


def test_results_are_records_of_scores_and_a_frame(toy, tmp_path):
    runs = Store(tmp_path / "runs")
    changes = ["seeds=[0]", "methods=[counted,diverges]", "evaluators=[knn]"]
    done = api.run("toy", changes=changes, store=runs)
    records = api.results(store=runs)
    planned = api.results("toy", changes=changes, store=runs)
    assert sorted(planned, key=str) == sorted(records, key=str)
    assert api.results(api.publish(done.board, tmp_path / "board")) == planned
    (failed,) = [record for record in records if record["status"] != "done"]
    assert (failed["method"], failed["metric"], failed["value"]) == ("diverges", "", None)
    assert "nan" in failed["reason"]
    (run,) = [run for run in done.runs if run.status == "done"]
    scores = {record["metric"]: record["value"] for record in records if record["method"] == "counted"}
    assert scores == {score.metric: score.value for score in run.scores}
    frame = records.frame()
    assert len(frame) == len(records)
    assert frame.set_index(["method", "metric"]).value["counted", "top1"] == scores["top1"]


def test_a_frame_without_pandas_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(UsageError, match="pip install pandas"):
        api.Records().frame()


def test_official_folds_are_one_row_and_one_column(home, ucf101, tmp_path):
    suite = tmp_path / "folds.yaml"
    suite.write_text(f"""
name: folds
title: Three folds
frames: 64
methods: [random_init, supervised]
backbones: [small_2d]
pretraining: [{{name: ucf101, fold: [1, 2, 3]}}]
evaluators: [{{name: knn, k: 3}}]
seeds: [0]
paths: {{ucf101: {ucf101}}}
""")
    runs = Store(tmp_path / "runs")
    done = api.run(suite, store=runs)
    assert [column.data.label for column in done.board.columns] == ["ucf101(fold=[1, 2, 3])"]
    assert [row.method for row in done.board.rows] == ["random_init", "supervised"]
    folds = [run.score("top1").value for run in done.runs if run.identity.method.name == "supervised"]
    assert len(folds) == 3
    (cell,) = done.board.rows[1].cells
    assert cell.interval.mean == pytest.approx(sum(folds) / 3)
    one = api.run(suite, changes=["pretraining=[ucf101]"], store=runs)
    assert [run.key for run in one.runs] == [run.key for run in done.runs if not run.identity.data.options]
    again = api.leaderboard(api.publish(done.board, tmp_path / "board"))
    assert again.rows == done.board.rows
