"""Scores of stored runs as records."""

from __future__ import annotations

import sys

import pytest

from harness import api
from harness.errors import UsageError
from harness.store.runs import Store


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
