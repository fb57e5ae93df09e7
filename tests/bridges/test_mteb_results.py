"""Boards in MTEB's format: which runs, under which names, with which numbers."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from harness import api
from harness.bridges.mteb_results import COUNTERPARTS, results
from harness.cli.app import app
from harness.errors import DataError, UsageError
from harness.leaderboard.results_file import dump, load_results
from harness.plugins.manager import Plugins
from harness.store.choices import at_share

SUITE = {
    "name": "toy",
    "title": "Toy",
    "frames": 512,
    "methods": ["supervised"],
    "backbones": ["small_3d"],
    "pretraining": ["blobs"],
    "evaluators": ["knn", "retrieval", "pair_classification", "clustering", "throughput"],
    "seeds": [0],
}


@pytest.fixture
def board(compute, tmp_path):
    """A board with four evaluators that MTEB has too, and one that it has not; with its runs by evaluator."""
    runs = compute(SUITE)
    return stored(SUITE, tmp_path / "board"), {run.identity.evaluator.name: run for run in runs}


def stored(suite, folder):
    """A board's folder with its results alone."""
    folder.mkdir()
    (folder / "suite.yaml").write_text(json.dumps(suite))
    board = replace(api.leaderboard(str(folder / "suite.yaml")), pictures=(), run_pictures=())
    (folder / "results.json").write_text(dump(board))
    return folder


def test_every_metric_that_is_named_is_on_its_card():
    evaluators = Plugins(points=[]).evaluators
    for name, metrics in COUNTERPARTS.items():
        assert set(metrics.values()) <= {metric.id for metric in evaluators.entry(name).card.metrics}


def test_runs_that_have_a_counterpart_are_written_with_their_numbers(board, tmp_path, capsys):
    folder, runs = board
    written = results(folder, tmp_path / "out")
    assert "left out: 1 cell: throughput, of which MTEB has no counterpart\n" in capsys.readouterr().err
    fit = runs["knn"].fit_key
    place = tmp_path / "out" / "results" / f"video-harness__supervised-small_3d-{fit[:12]}" / fit
    names = {f"VideoHarness-blobs-{name}.json" for name in runs if name != "throughput"} | {"model_meta.json"}
    assert {path.name for path in written} == names
    assert {path.parent for path in written} == {place}
    for name, run in runs.items():
        if name == "throughput":
            continue
        content = json.loads((place / f"VideoHarness-blobs-{name}.json").read_text())
        (scores,) = content["scores"]["test"]
        values = {score.metric: score.value for score in run.scores}
        expected = {theirs: values[ours] for theirs, ours in COUNTERPARTS[name].items() if ours in values}
        assert expected
        assert {key: scores[key] for key in expected} == expected
        assert scores["main_score"] == next(iter(expected.values()))
        assert scores["runs"] == [run.key]
        assert content["mteb_version"] is None


def test_mteb_reads_them(board, tmp_path):
    reader = pytest.importorskip("mteb.results", reason="an extra: pip install 'video-harness[mteb]'")
    meta = pytest.importorskip("mteb.models.model_meta")
    for path in results(board[0], tmp_path / "out"):
        if path.name == "model_meta.json":
            assert meta.ModelMeta.model_validate_json(path.read_text()).modalities == ["video"]
        else:
            read = reader.TaskResult.from_disk(path)
            assert read.get_score() == read.scores["test"][0]["main_score"]


def test_seeds_of_one_fit_are_experiments_of_one_result(compute, tmp_path):
    suite = SUITE | {"methods": ["random_init"], "evaluators": ["clustering"], "seeds": [0, 1]}
    runs = compute(suite)
    written = results(stored(suite, tmp_path / "board"), tmp_path / "out")
    found = [json.loads(path.read_text())["scores"]["test"][0] for path in written if path.name != "model_meta.json"]
    assert len(found) == len({run.fit_key for run in runs})
    assert sorted(key for one in found for key in one["runs"]) == sorted(run.key for run in runs)
    for one in found:
        each = [scores["v_measure"] for scores in one["scores_per_experiment"]]
        assert one["v_measure"] == pytest.approx(sum(each) / len(each))


def test_the_command_names_the_files(board, tmp_path):
    with pytest.raises(UsageError, match="has files already"):
        results(board[0], board[0])
    outcome = CliRunner().invoke(app, ["leaderboard", str(board[0]), "--as", "mteb", "-o", str(tmp_path / "out")])
    assert outcome.exit_code == 0, outcome.output
    assert [Path(line) for line in outcome.stdout.splitlines()] == sorted((tmp_path / "out").rglob("*.json"))


def test_the_current_folder_may_be_where_they_go(board, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    written = results(board[0], Path())
    assert written == sorted(Path().rglob("*.json"))
    assert [path.name for path in Path().iterdir()] == ["results"]


@pytest.mark.parametrize("arguments", [["quickstart", "-o", "out"], ["."]])
def test_the_command_needs_a_folder_and_a_place(arguments):
    outcome = CliRunner().invoke(app, ["leaderboard", *arguments, "--as", "mteb"])
    assert isinstance(outcome.exception, UsageError)
    assert "give both: FOLDER -o OUTPUT" in str(outcome.exception)


def test_a_board_without_a_counterpart_writes_nothing(compute, tmp_path):
    suite = SUITE | {"name": "speed", "evaluators": ["throughput"]}
    compute(suite)
    with pytest.raises(DataError, match="no run of linear_probe"):
        results(stored(suite, tmp_path / "speed"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_share_of_a_fit_is_a_model_of_its_own(board, tmp_path):
    folder, _ = board
    whole = load_results(folder / "results.json")
    runs = [at_50(cell.run) for cell in whole.planned]
    shares = [
        cell.model_copy(update={"run": run, "identity": run.identity})
        for cell, run in zip(whole.planned, runs, strict=True)
    ]
    (folder / "results.json").write_text(dump(replace(whole, planned=tuple(shares))))
    models = {path.parent.parent.name.rpartition("-")[0] for path in results(folder, tmp_path / "out")}
    assert models == {"video-harness__supervised-at-50-small_3d"}


def at_50(run):
    method = at_share(run.identity.method, 50)
    return run.model_copy(update={"identity": run.identity.model_copy(update={"method": method})})
