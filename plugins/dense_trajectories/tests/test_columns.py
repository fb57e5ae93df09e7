"""Names of the columns."""

from __future__ import annotations

import subprocess
import sys

import pytest

from harness_dense_trajectories.columns import COLUMNS, DESCRIPTORS, WIDTH, column, span


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
    with pytest.raises(ValueError, match="no columns lie between"):
        span(*names)


def test_names_and_settings_need_no_heavy_library():
    code = (
        "import sys; import harness_dense_trajectories.columns, harness_dense_trajectories.settings;"
        "sys.exit(', '.join({'numpy', 'cv2', 'torch', 'av'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
