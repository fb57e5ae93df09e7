"""An evaluator's section: every metric of every row, and under which conditions it was measured."""

from __future__ import annotations

from harness.leaderboard.readme import readme, tables
from harness.leaderboard.render import board_files
from harness.leaderboard.sections import evaluator_sections


def test_a_metric_that_a_run_lacks_is_a_dash_and_not_a_zero(curved_board):
    few, speed = evaluator_sections(curved_board)
    assert len(few.metrics) == 4
    assert len(speed.metrics) == 1  # speed stands apart from the board
    assert (few.pictures, speed.pictures) == (curved_board.run_pictures, ())
    dashes = {row.label: [mean == "-" for mean, _ in row.values] for row in few.rows}
    assert dashes.pop("quadruplet") == [False, False, True, False]
    assert not any(dash for dashes_of_row in dashes.values() for dash in dashes_of_row)
    assert few.chances == ("6.7", "6.7", "6.7", "")


def test_the_board_shows_the_only_metric_of_an_evaluator_without_pictures(board):
    assert evaluator_sections(board) == []


def test_conditions_are_named_once_where_all_rows_share_them(timed_board):
    (section,) = evaluator_sections(timed_board)
    assert section.conditions == "threads is 8"
    assert [row.conditions for row in section.rows] == ["", "device is Some GPU", "device is Some CPU"]
    assert [row.values[0][0] for row in section.rows] == ["", "90.5", "90.5"]


def test_speed_has_a_table_of_its_own(timed_board):
    text = readme(timed_board)
    assert "throughput" not in tables(timed_board)
    assert "Measured where threads is 8." in text
    (line,) = [line for line in text.splitlines() if "device is Some CPU" in line]
    assert line.startswith("| random\\_init<br>device is Some CPU | 90.5 [")
    assert "Speed stands apart" in text


def test_the_page_has_the_same_tables(timed_board):
    page = board_files(timed_board)["index.html"].decode()
    board, speed = page.split('<h2 id="evaluators">')
    assert '<span class="evaluator">throughput</span>' not in board
    assert "device is Some GPU" in speed
    assert "Measured where threads is 8." in speed
