"""Columns of a row."""

from __future__ import annotations

import pytest

from harness_dense_trajectories.trajectories import COLUMNS, DESCRIPTORS, WIDTH, column, span


def test_columns_cover_a_row_in_the_original_order():
    assert [place.start for place in COLUMNS.values()] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 136, 244, 340]
    assert [place.stop for place in COLUMNS.values()][:-1] == [place.start for place in COLUMNS.values()][1:]
    assert COLUMNS["mbh_y"].stop == WIDTH == 436
    widths = [COLUMNS[name].stop - COLUMNS[name].start for name in DESCRIPTORS]
    assert widths == [30, 96, 108, 96, 96]


@pytest.mark.parametrize("name", ["hog", "nothing"])
def test_only_a_single_column_has_a_number(name):
    with pytest.raises(ValueError, match=name):
        column(name)


@pytest.mark.parametrize("names", [("hof", "hog"), ("hog", "nothing"), ("nothing", "hog")])
def test_a_span_goes_forwards_between_names_that_exist(names):
    with pytest.raises(ValueError, match="expected two column names in the order of frame"):
        span(*names)
