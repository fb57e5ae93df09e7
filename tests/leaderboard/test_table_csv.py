"""The CSV of a board: one line a metric of a cell."""

from __future__ import annotations

import csv
import io

import pytest

from harness.leaderboard.table_csv import HEADER, table_csv


def lines_of(board):
    return list(csv.DictReader(io.StringIO(table_csv(board))))


def test_every_cell_has_a_line_with_its_numbers_in_the_unit_shown(board):
    lines = lines_of(board)
    assert len(lines) == 24
    line = next(line for line in lines if line["method"] == "quadruplet" and line["evaluator"] == "clustering")
    cell = board.rows[2].cells[2]
    assert (line["unit"], line["metric"]) == ("bits", "conditional_entropy")
    numbers = [float(line[name]) for name in ("mean", "low", "high", "chance")]
    expected = [cell.interval.mean, cell.interval.low, cell.interval.high, cell.primary.chance]
    assert numbers == pytest.approx(expected, abs=1e-4)
    assert [float(value) for value in line["values"].split()] == pytest.approx(
        [value for _, value in cell.primary.values], abs=1e-4
    )
    assert (line["seeds"], line["videos"], line["groups"]) == ("0 1 2 3 4", "225", "45")
    assert line["run_keys"].split() == [seed.key for seed in cell.seeds]
    percent = next(line for line in lines if line["method"] == "quadruplet" and line["unit"] == "%")
    assert float(percent["mean"]) == pytest.approx(100 * board.rows[2].cells[0].interval.mean, abs=1e-4)


def test_references_and_incomplete_rows_have_no_rank(board, troubled_board):
    for line in lines_of(board):
        assert (line["rank"] == "") == (line["reference"] == "yes")
    assert {line["rank"] for line in lines_of(troubled_board)} == {""}


def test_what_is_not_known_is_blank(troubled_board):
    missing = [line for line in lines_of(troubled_board) if line["status"] in {"missing", "not applicable"}]
    assert len(missing) == 2
    for line in missing:
        assert not any(line[name] for name in HEADER[HEADER.index("mean") : HEADER.index("coverage")])


def test_hostile_names_run_no_formula_and_break_no_line(hostile_board):
    rows = list(csv.reader(io.StringIO(table_csv(hostile_board))))
    assert len(rows) == 7
    assert {len(row) for row in rows} == {len(HEADER)}
    for row in rows[1:]:
        for field in row:
            assert "\n" not in field
            assert not field.startswith(("=", "+", "-", "@", "\t", "\r"))
    assert any(row[0].startswith("'=</script>") for row in rows)


def test_speed_has_no_rank(timed_board):
    ranks = {line["evaluator"]: (line["rank"], line["column_rank_low"]) for line in lines_of(timed_board)}
    assert ranks["throughput"] == ("", "")
    assert "" not in ranks["linear_probe"]


def test_what_a_row_started_from(labelled_board):
    stated = {
        line["method"]: (line["starts"], line["labelled"], line["reference"]) for line in lines_of(labelled_board)
    }
    assert stated == {
        "best": ("best.pth, learnt from Kinetics-400 with labels", "yes", "no"),
        "good": ("good.pth, learnt from mocap-actions-unbiased with labels", "yes", "no"),
        "unlabelled": ("unlabelled.pth, learnt from ssv2 without labels", "no", "no"),
        "random_init": ("", "no", "no"),
        "tuned": ("tuned.pth, learnt from Kinetics-400 with labels", "no", "yes"),
    }
    faults = {line["method"] for line in lines_of(labelled_board) if line["data_faults"]}
    assert faults == {"good"}
