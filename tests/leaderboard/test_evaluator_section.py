"""An evaluator's section: every metric of every row, and under which conditions it was measured."""

from __future__ import annotations

from harness.leaderboard.readme import readme, tables
from harness.leaderboard.render import board_files
from harness.leaderboard.sections import sections


def test_a_metric_that_a_run_lacks_is_a_dash_and_not_a_zero(curved_board):
    few, speed = sections(curved_board, {0: "plot-1-few_shot.png"})
    assert len(few.metrics) == 4
    assert len(speed.metrics) == 1  # speed stands apart from the board
    assert few.plot == "plot-1-few_shot.png"
    assert [file.name for file in few.pictures] == [
        "picture-2-few_shot-confusion.png",
        "picture-3-few_shot-skeletons.png",
    ]
    dashes = {line.label: [mean == "-" for mean, _ in line.cells] for line in few.lines}
    assert dashes.pop("quadruplet") == [False, False, True, False]
    assert not any(dash for row in dashes.values() for dash in row)
    assert few.chances == ("6.7", "6.7", "6.7", "")


def test_the_board_shows_the_only_metric_of_an_evaluator_without_pictures(board):
    assert sections(board, {}) == []


def test_conditions_are_named_once_where_all_rows_share_them(timed_board):
    (section,) = sections(timed_board, {})
    assert section.conditions == "threads is 8"
    assert [line.conditions for line in section.lines] == ["", "device is Some GPU", "device is Some CPU"]
    assert [line.cells[0][0] for line in section.lines] == ["", "90.5", "90.5"]


def test_speed_has_a_table_of_its_own(timed_board):
    text = readme(timed_board, "plot.png", {1: "plot-2-throughput.png"})
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
