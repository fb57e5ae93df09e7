"""Curves: where points stand, what is drawn of them, and what is left out."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.leaderboard import curves
from harness.leaderboard.plots import column_plot


@pytest.fixture(scope="module")
def curve(curved_board):
    (curve,) = curves.curves_of(curved_board.columns[0].card)
    return curve


def plot(board, column):
    return column_plot(board, board.columns[column])


def data(specification, wanted):
    return [rows for rows in specification["datasets"].values() if wanted in rows[0]]


def test_points_stand_in_their_order_and_all_behind_them(curve):
    assert [point.metric.id for point in curve.points] == ["top1_1", "top1_5", "top1_all"]
    assert curve.axis == "videos a class"


def test_a_card_without_points_has_no_curve(board):
    assert curves.curves_of(board.columns[0].card) == []


@settings(max_examples=50, deadline=None)
@given(ats=st.lists(st.floats(0.01, 1e4), min_size=1, max_size=8, unique=True).map(sorted))
def test_positions_rise_from_0_to_1(ats):
    places = curves.positions(ats)
    assert places[0] == 0.0
    assert places == sorted(places)
    assert places[-1] == (1.0 if len(ats) > 1 else 0.0)


@settings(max_examples=50, deadline=None)
@given(wanted=st.lists(st.floats(0, 200), min_size=1, max_size=12).map(sorted))
def test_labels_keep_their_order_and_do_not_overlap(wanted):
    places = curves.spread_labels(wanted, 200)
    assert all(b - a >= curves.LABEL - 1e-6 for a, b in pairwise(places))


def test_the_drawn_means_are_those_of_the_table(curved_board, curve):
    specification = plot(curved_board, 0)
    drawn = next(rows for rows in data(specification, "low") if len(rows) == 12 and "x" in rows[0])
    for row in curved_board.rows:
        mine = [record for record in drawn if record["row"] == row.label]
        expected = [row.cells[0].summary(point.metric).interval for point in curve.points]
        assert [record["y"] for record in mine] == [
            None if interval is None else pytest.approx(100 * interval.mean, abs=1e-3) for interval in expected
        ]
        lacking = [record["y"] is None for record in mine]
        assert lacking == [False, False, row.identity.method.name == "quadruplet"]


def test_metrics_beside_the_curve_are_dots(curved_board):
    specification = plot(curved_board, 0)
    titles = str(specification["vconcat"])
    assert "Kappa" in titles
    assert specification["title"]["text"] == "few_shot"


def test_points_that_no_row_has_are_not_drawn(curved_board, make_board):
    alone = make_board([cell for cell in curved_board.planned if cell.identity.method.name == "quadruplet"])
    drawn = next(records for records in data(plot(alone, 0), "low") if "x" in records[0])
    assert [record["x"] for record in drawn] == [0.0, 1.0]  # top1_1 and top1_5, without top1_all behind them


def test_a_plot_of_mixed_conditions_says_so(curved_board, timed_board):
    assert "conditions" not in str(plot(curved_board, 1)["title"])
    assert "conditions" in str(plot(timed_board, 1)["title"])


def test_long_labels_take_lines_and_are_as_far_apart():
    line = curves.DrawnCurve("", "", "method", done=True, points=(curves.DrawnPoint(0.0, 50.0),))
    labels = [f"pose_from_action(frame_colour=0.4)\n{name}" for name in ("mocap-actions", "mocap-actions-unbiased")]
    apart = curves.LABEL + curves.LINE
    records = curves._labels([replace(line, label=label) for label in labels], (0.0, 100.0), (300, 200), apart)
    assert [record["row"] for record in records] == labels
    first, second = (record["label_y"] for record in records)
    assert (first - second) * 2 == pytest.approx(apart)  # 200 pixels for 100 %
