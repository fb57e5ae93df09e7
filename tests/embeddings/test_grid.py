"""Each place gets a cell of its own, near where it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.embeddings.scatter import assign_cells


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 2), min_size=1, max_size=36))
@settings(max_examples=50, deadline=None)
def test_no_two_places_share_a_cell(places):
    found = assign_cells(np.array(places, dtype=np.float32), 6)
    assert len(np.unique(found, axis=0)) == len(places)
    assert (found >= 0).all()
    assert (found < 6).all()


def test_places_apart_get_their_nearest_cells_with_up_being_up():
    corners = np.array([[-3, -3], [-3, 5], [5, -3], [5, 5], [1, 1]], dtype=np.float32)
    assert assign_cells(corners, 9).tolist() == [[0, 8], [0, 0], [8, 8], [8, 0], [4, 4]]


def test_proportions_are_kept():
    wide = np.array([[0, 0], [8, 0], [4, 2], [4, 0]], dtype=np.float32)
    assert assign_cells(wide, 9).tolist() == [[0, 5], [8, 5], [4, 3], [4, 5]]


@pytest.mark.parametrize("count", [1, 9, 25])
def test_places_that_are_all_the_same_fill_the_middle(count):
    found = assign_cells(np.zeros((count, 2), dtype=np.float32), 9)
    side = int(count**0.5)
    assert np.abs(found - 4).max() <= max(side // 2 + (count == 25), 0)
    assert len(np.unique(found, axis=0)) == count
