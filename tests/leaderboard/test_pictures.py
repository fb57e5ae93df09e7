"""Pictures of runs: those of the best row's first seed, as files that `results.json` proves."""

from __future__ import annotations

import pytest

from harness.errors import DataError
from harness.leaderboard import sections
from harness.leaderboard.render import render, stale
from harness.leaderboard.results_file import load_results


def test_they_are_of_the_best_ranked_row(curved_board):
    assert [(picture.name, picture.seed) for picture in curved_board.run_pictures] == [
        ("confusion", 0),
        ("skeletons", 0),
    ]
    best = curved_board.divisions[0].rows[0]
    assert curved_board.rows[best].identity.method.name == "quadruplet"
    assert {picture.row for picture in curved_board.run_pictures} == {best}


def test_a_picture_that_is_not_there_is_left_out(curved_board):
    found = sections.with_pictures(curved_board, lambda key, name: b"png" if name == "confusion" else None)
    assert [picture.name for picture in found.run_pictures] == ["confusion"]


def test_the_folder_is_made_again_from_its_results(curved_board, tmp_path):
    render(curved_board, tmp_path / "one")
    assert stale(tmp_path / "one") == ()
    render(load_results(tmp_path / "one" / "results.json"), tmp_path / "other")
    one, other = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in sorted(tmp_path.iterdir()))
    assert one == other
    assert {"picture-2-few_shot-confusion.png", "picture-3-few_shot-skeletons.png", "plot-1-few_shot.png"} <= set(one)


def test_another_picture_is_refused(curved_board, tmp_path):
    render(curved_board, tmp_path)
    (tmp_path / "picture-2-few_shot-confusion.png").write_bytes(b"other")
    with pytest.raises(DataError, match="is not the picture that"):
        load_results(tmp_path / "results.json")
