"""Curves: where points stand, what is drawn of them, and what is left out."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.leaderboard import curves
from harness.leaderboard.plots import evaluator_spec
from harness.leaderboard.ranking import Division


@pytest.fixture(scope="module")
def curve(curved_board):
    (found,) = curves.curves(curved_board.columns[0].card)
    return found


def data(specification, wanted):
    return [rows for rows in specification["datasets"].values() if wanted in rows[0]]


def test_points_stand_in_their_order_and_all_behind_them(curve):
    assert [metric.id for _, metric, _ in curve.metrics] == ["top1_1", "top1_5", "top1_all"]
    assert curve.axis == "videos a class"


def test_a_card_without_points_has_no_curve(board):
    assert curves.curves(board.columns[0].card) == []


@settings(max_examples=50, deadline=None)
@given(ats=st.lists(st.floats(0.01, 1e4), min_size=1, max_size=8, unique=True).map(sorted))
def test_positions_rise_from_0_to_1(ats):
    found = curves.positions(ats)
    assert found[0] == 0.0
    assert found == sorted(found)
    assert found[-1] == (1.0 if len(ats) > 1 else 0.0)


@settings(max_examples=50, deadline=None)
@given(wanted=st.lists(st.floats(0, 200), min_size=1, max_size=12).map(sorted))
def test_labels_keep_their_order_and_do_not_overlap(wanted):
    found = curves.spread_labels(wanted, 200)
    assert all(b - a >= curves.LABEL - 1e-6 for a, b in pairwise(found))


def test_the_drawn_means_are_those_of_the_table(curved_board, curve):
    specification = evaluator_spec(curved_board, 0)
    drawn = next(rows for rows in data(specification, "low") if len(rows) == 12 and "x" in rows[0])
    for row in curved_board.rows:
        mine = [record for record in drawn if record["row"] == curved_board.label(row)]
        expected = [row.cells[0].measure(m).interval for m, *_ in curve.metrics]
        assert [record["y"] for record in mine] == [
            None if interval is None else pytest.approx(100 * interval.mean, abs=1e-3) for interval in expected
        ]
        lacking = [record["y"] is None for record in mine]
        assert lacking == [False, False, row.identity.method.name == "quadruplet"]


def test_metrics_beside_the_curve_are_dots(curved_board):
    specification = evaluator_spec(curved_board, 0)
    titles = str(specification["vconcat"])
    assert "Kappa" in titles
    assert specification["title"]["text"] == "few_shot"


def test_one_metric_alone_is_on_the_boards_plot_unless_it_is_of_speed(board, curved_board):
    assert evaluator_spec(board, 0) is None
    assert evaluator_spec(curved_board, 1) is not None


def test_points_that_no_row_has_are_not_drawn(curved_board):
    rows = tuple(row for row in curved_board.rows if row.identity.method.name == "quadruplet")
    alone = dataclasses.replace(curved_board, rows=rows, divisions=(Division((0,), (None,)),))
    drawn = next(records for records in data(evaluator_spec(alone, 0), "low") if "x" in records[0])
    assert [record["x"] for record in drawn] == [0.0, 1.0]  # top1_1 and top1_5, without top1_all behind them


def test_a_plot_of_mixed_conditions_says_so(curved_board, timed_board):
    assert "conditions" not in str(evaluator_spec(curved_board, 1)["title"])
    assert "conditions" in str(evaluator_spec(timed_board, 1)["title"])
