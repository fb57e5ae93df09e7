"""`results.json` holds everything a board is made of, strictly."""

from __future__ import annotations

import json
import re

import pytest

from harness.errors import DataError
from harness.leaderboard.render import render
from harness.leaderboard.results_file import dump, load_results


def strict(text):
    def refuse(constant):
        pytest.fail(f"{constant} is not JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.fixture
def folder(small_board, tmp_path):
    render(small_board, tmp_path)
    return tmp_path


def test_a_board_comes_back_as_it_was(small_board, troubled_board, labelled_board, png, tmp_path):
    (tmp_path / "picture-1.png").write_bytes(png)
    for one in (small_board, troubled_board, labelled_board):
        (tmp_path / "results.json").write_text(dump(one), encoding="utf-8")
        back = load_results(tmp_path / "results.json")
        assert back.planned == one.planned
        assert back.rows == one.rows
        assert back.divisions == one.divisions
        assert list(back.comparisons) == list(one.comparisons)
        assert back.cards == one.cards
        assert back.pictures == one.pictures


def test_the_file_is_strict_json_with_the_numbers_as_stored(troubled_board):
    content = strict(dump(troubled_board))
    first = next(row for row in content["table"] if row["method"] == "random_init")
    cell = first["cells"][0]
    interval = troubled_board.rows[0].cells[0].interval
    assert cell["interval"]["mean"] == interval.mean < 1
    assert [cell["metric"] for cell in first["cells"]][2] == "conditional_entropy"
    missing = next(row for row in content["table"] if row["method"] == "sfa(dim=64)")["cells"][2]
    assert (missing["status"], missing["interval"], missing["chance"]) == ("missing", None, None)


def test_videos_are_stored_once_for_all_runs(board):
    content = strict(dump(board))
    assert len(content["test_sets"]) == 1
    assert sum(cell["run"] is not None for cell in content["planned"]) == 120


def test_a_nan_in_a_run_is_an_error_before_anything_is_written(make_plan, make_board, tmp_path):
    planned = make_plan(seeds=[0])
    run = planned[0].run.model_copy(update={"notes": {"loss": float("nan")}})
    broken = make_board([planned[0].model_copy(update={"run": run}), *planned[1:]])
    with pytest.raises(DataError, match="NaN or infinity"):
        render(broken, tmp_path / "board")
    assert not (tmp_path / "board").exists()


def test_a_changed_prediction_is_noticed_in_the_table(folder):
    path = folder / "results.json"
    content = json.loads(path.read_text())
    run = next(cell["run"] for cell in content["planned"] if cell["identity"]["evaluator"]["name"] == "knn")
    run["predictions"] = [re.sub(r"\d+", "0", run["predictions"][0])]
    path.write_text(json.dumps(content))
    changed = load_results(path)
    assert "data" in {cell.status for row in changed.rows for cell in row.cells}


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("planned"),
        lambda content: content.update(format=2),
        lambda content: content.update(extra=1),
        lambda content: content["planned"][0].update(test_set="unknown"),
        lambda content: content["planned"][0]["run"].update(predictions=["one two"]),
        lambda content: content["planned"][0]["run"].update(predictions=None),
        lambda content: content["planned"][0]["run"].update(predictions=[7]),
        lambda content: content["planned"][0]["run"].update(key=7),
        lambda content: content["planned"][0]["run"].update(predictions=["1 2"]),
        lambda content: content["planned"][0]["run"].update(protocol={"coverage": 3}),
        lambda content: content["planned"][0]["run"].update(provenance={"data_faults": {"shared": {"x": {}}}}),
        lambda content: content["planned"][0]["run"].update(provenance={"libraries": "torch"}),
        lambda content: content["planned"][0]["identity"].update(seed=99),
        lambda content: content["evaluators"]["knn"].update(metrics=[]),
        lambda content: content["pictures"][0].update(file="../../secret.png"),
    ],
)
def test_what_is_not_a_results_file_is_one_clear_error(folder, damage):
    path = folder / "results.json"
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError) as caught:
        load_results(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_and_cut_files_are_named(folder):
    path = folder / "results.json"
    path.write_text(path.read_text()[:500])
    with pytest.raises(DataError, match="not the results of a board"):
        load_results(path)
    path.unlink()
    with pytest.raises(DataError, match="does not exist"):
        load_results(path)


def test_another_picture_than_the_one_named_is_refused(folder):
    (folder / "picture-1.png").write_bytes(b"another")
    with pytest.raises(DataError, match=r"picture-1\.png is not the picture"):
        load_results(folder / "results.json")
    (folder / "picture-1.png").unlink()
    with pytest.raises(DataError, match=r"picture-1\.png is missing"):
        load_results(folder / "results.json")
