"""Settings that cannot be."""

from __future__ import annotations

import pytest

from harness_dense_trajectories.settings import Settings


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("flow", "tvl1"),
        ("detector", "surf"),
        ("median", 4),
        ("stride", 0),
        ("gap", 0),
        ("levels", 0),
        ("neighbourhood", 30),
        ("neighbourhood", 0),
        ("level_factor", 1),
        ("epsilon", 0),
        ("ransac_error", -1),
        ("corners", 0),
    ],
)
def test_what_cannot_be_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=name):
        Settings(**{name: value})
