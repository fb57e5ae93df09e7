"""Suites that are run from Python."""

from __future__ import annotations

import pytest

from harness import api
from harness.store.runs import Store


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
