"""Partial copies: the share of the videos stands beside every score."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from harness.leaderboard.page import details
from harness.leaderboard.readme import readme
from harness.leaderboard.table_csv import table_csv
from harness.leaderboard.text import coverage

PARTIAL = {"videos": 990, "listed": 1000, "reasons": {"missing": 10}, "left_out": "0123"}


@pytest.fixture(scope="module")
def board(make_plan, make_board, fake):
    rows, columns, _ = fake
    planned = make_plan((rows("random_init", 0.3), rows("sfa", 0.5)), (columns("linear_probe"),), (0,))
    partial = [
        cell.model_copy(
            update={
                "run": cell.run.model_copy(
                    update={
                        "protocol": {**cell.run.protocol, "coverage": {"test": PARTIAL}},
                        "provenance": {**cell.run.provenance, "pretraining_coverage": {**PARTIAL, "videos": 500}},
                    }
                )
            }
        )
        for cell in planned[1:]
    ]
    return make_board([planned[0], *partial])


TEXT = "test 99.0 % (990 of 1,000), learnt from 50.0 % (500 of 1,000)"


def test_it_is_empty_for_whole_copies(board):
    assert coverage(board.rows[0].cells[0]) == ""
    assert coverage(board.rows[1].cells[0]) == TEXT


def test_it_stands_beside_the_score_everywhere(board):
    line = next(line for line in readme(board, "plot.png", {}).splitlines() if "| sfa" in line)
    assert TEXT in line
    assert details(board)[1]["cells"][0]["facts"]["coverage"] == TEXT
    lines = {line["method"]: line["coverage"] for line in csv.DictReader(io.StringIO(table_csv(board)))}
    assert lines == {"random_init": "", "sfa": TEXT}


def test_a_share_that_lacks_a_video_is_never_the_whole(board):
    cell = board.rows[1].cells[0]
    run = cell.seeds[0].run
    nearly = {"videos": 99_999, "listed": 100_000, "reasons": {"missing": 1}, "left_out": "0123"}
    one = replace(
        cell.seeds[0], run=run.model_copy(update={"protocol": {"coverage": {"test": nearly}}, "provenance": {}})
    )
    assert coverage(replace(cell, seeds=(one,))) == "test 99.9 % (99,999 of 100,000)"
