"""Everything a board says once for all its rows, and pictures of its best one."""

from __future__ import annotations

import pytest

from harness.errors import DataError
from harness.leaderboard.board import with_pictures
from harness.leaderboard.render import render
from harness.leaderboard.results_file import load_results
from harness.leaderboard.staleness import stale


def test_what_all_rows_share_is_not_repeated_in_their_labels(board, troubled_board):
    assert board.shared == ("small_3d", "mocap-actions(size=mini)", "400,000 frames")
    assert board.rows[1].label == "sfa(dim=64)"
    assert troubled_board.shared == ("mocap-actions(size=mini)", "400,000 frames")
    assert troubled_board.rows[1].label == "sfa(dim=64) · small_3d"


def test_seeds_and_cards_are_those_planned(board):
    assert board.seeds == (0, 1, 2, 3, 4)
    assert set(board.cards) == {"linear_probe", "knn", "clustering"}


def test_rows_of_one_name_and_of_several_divisions_are_told_apart(make_plan, make_board, fake, troubled_board):
    row, column, _ = fake
    twins = make_board(make_plan([row("sfa", 0.3), row("sfa\n", 0.4)], [column("knn")]))
    assert sorted(label for label, _ in twins.ranked_rows) == ["sfa", "sfa′"]
    assert [label[-3:] for label, _ in troubled_board.ranked_rows] == ["[A]"] * 6 + ["[B]"]


def test_pictures_are_of_the_best_ranked_row(curved_board):
    assert [(picture.name, picture.seed) for picture in curved_board.run_pictures] == [
        ("confusion", 0),
        ("skeletons", 0),
    ]
    assert {picture.row.method for picture in curved_board.run_pictures} == {"quadruplet"}
    assert [picture.file for picture in curved_board.run_pictures] == [
        "picture-2-few_shot-confusion.png",
        "picture-3-few_shot-skeletons.png",
    ]
    assert curved_board.run_pictures[0].caption == "quadruplet, seed 0: confusion"


def test_a_picture_that_is_not_there_is_left_out(curved_board):
    board = with_pictures(curved_board, lambda key, name: b"png" if name == "confusion" else None)
    assert [picture.name for picture in board.run_pictures] == ["confusion"]


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
