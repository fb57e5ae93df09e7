"""An evaluator's section: every metric of every row, and under which conditions it was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.leaderboard.readme import readme, tables
from harness.leaderboard.render import board_files
from harness.leaderboard.sections import OF_SUPERVISED, evaluator_sections


def test_a_metric_that_a_run_lacks_is_a_dash_and_not_a_zero(curved_board):
    few, speed = evaluator_sections(curved_board)
    assert len(few.metrics) == 5
    assert few.metrics[-1] == OF_SUPERVISED
    assert len(speed.metrics) == 1  # speed stands apart from the board
    assert (few.pictures, speed.pictures) == (curved_board.run_pictures, ())
    dashes = {row.label: [mean == "-" for mean, _ in row.values] for row in few.rows}
    assert dashes.pop("quadruplet") == [False, False, True, False, False]
    assert not any(dash for dashes_of_row in dashes.values() for dash in dashes_of_row)
    assert few.chances == ("6.7", "6.7", "6.7", "", "")


def test_a_metric_that_no_run_has_is_left_out(curved_board, make_board, make_plan, fake):
    """Runs of 1 and 5 videos a class have no column for 10; where nothing was measured all stand there."""
    rows = [replace(row, cells=tuple(map(without_third, row.cells))) for row in curved_board.rows]
    few, _ = evaluator_sections(replace(curved_board, rows=tuple(rows)))
    headings = evaluator_sections(curved_board)[0].metrics
    assert few.metrics == (*headings[:2], *headings[3:])
    assert {len(row.values) for row in few.rows} == {4}
    assert few.chances == ("6.7", "6.7", "", "")


def without_third(cell):
    """The cell without its third metric's numbers; cells of one metric stay."""
    if len(cell.metrics) < 3:
        return cell
    third = replace(cell.metrics[2], interval=None)
    return replace(cell, metrics=(*cell.metrics[:2], third, *cell.metrics[3:]))


def test_accuracies_are_told_in_percent_of_the_supervised_rows(curved_board, make_board, make_plan, fake):
    few, speed = evaluator_sections(curved_board)
    means = {row.label: float(row.values[0][0]) for row in few.rows}
    shares = {row.label: float(row.values[-1][0]) for row in few.rows}
    assert shares["supervised"] == 100
    assert shares == {label: pytest.approx(100 * mean / means["supervised"], abs=1) for label, mean in means.items()}
    assert OF_SUPERVISED not in speed.metrics
    for changed, told in (({"status": "stale"}, None), ({"protocol_id": "another"}, {"supervised"})):
        rows = [
            replace(one, cells=tuple(replace(cell, **changed) for cell in one.cells)) if one.supervised else one
            for one in curved_board.rows
        ]
        apart, _ = evaluator_sections(replace(curved_board, rows=tuple(rows)))
        if told is None:
            assert OF_SUPERVISED not in apart.metrics
        else:
            assert {row.label for row in apart.rows if row.values[-1][0]} == told
    row, column, _ = fake
    without = make_board(make_plan([row("sfa", 0.4), row("random_init", 0.2)], [column("few_shot")]))
    assert all(OF_SUPERVISED not in section.metrics for section in evaluator_sections(without))


def test_nothing_is_told_in_percent_of_itself_where_all_rows_read_labels(curved_board):
    rows = tuple(replace(row, supervised=True) for row in curved_board.rows)
    few, _ = evaluator_sections(replace(curved_board, rows=rows))
    assert OF_SUPERVISED not in few.metrics


def test_the_page_has_a_cell_for_each_heading(curved_board):
    page = board_files(curved_board)["index.html"].decode()
    for table in page.split('<table class="metrics">')[1:]:
        rows = [part.split("</tr>")[0] for part in table.split("</table>")[0].split("<tr")[1:]]
        assert len({row.count("<th") + row.count("<td") for row in rows}) == 1


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
