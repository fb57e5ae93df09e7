"""What a board says once for all its rows, and what in each."""

from __future__ import annotations

import pytest


def test_what_all_rows_share_is_not_repeated_in_their_labels(board, troubled_board):
    assert board.shared == ("small_3d", "mocap-actions(size=mini)", "400,000 frames")
    assert board.label(board.rows[1]) == "sfa(dim=64)"
    assert troubled_board.shared == ("mocap-actions(size=mini)", "400,000 frames")
    assert troubled_board.label(troubled_board.rows[1]) == "sfa(dim=64) · small_3d"


def test_headings_name_the_data_set_where_there_are_several(board, small_board):
    assert board.heading(board.columns[1]) == "knn(k=5) · mocap-actions(size=mini)"
    assert small_board.heading(small_board.columns[0]) == "knn(k=5)"


def test_chance_spans_the_cells_of_a_column(board, troubled_board):
    baselines = [row.cells[2].baseline for row in board.rows]
    assert board.chance(2) == (min(baselines), max(baselines))
    assert troubled_board.chance(4) is None


def test_a_column_counts_its_videos_and_groups(troubled_board):
    assert troubled_board.test_set(0) == ((225,), (45,))
    assert troubled_board.test_set(4) == ((), ())


def test_seeds_and_cards_are_those_planned(board):
    assert board.seeds == (0, 1, 2)
    assert set(board.cards) == {"linear_probe", "knn", "clustering"}


def test_a_division_has_one_protocol_a_column(troubled_board):
    first, second = troubled_board.divisions
    assert [protocol["view"]["frames"] for protocol in troubled_board.protocols(first)] == [16] * 5
    assert [protocol["view"]["frames"] for protocol in troubled_board.protocols(second)] == [1] * 5


def test_a_board_cannot_be_changed(board):
    with pytest.raises(AttributeError):
        board.title = "another"
