"""Plates are drawn in metres."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions.plate import Plate, mixed, noise


def test_plates_are_drawn_in_metres():
    plate = Plate(-2.0, 2.0, 0.0, 3.0, (40.0, 80.0))
    plate.box(-1.0, 1.0, 1.0, 2.0, (255.0, 0.0, 0.0))
    assert plate.pixels.shape == (240, 160, 3)
    assert plate.pixels[..., 0].sum() / 255 == pytest.approx(2.0 * 40 * 1.0 * 80, rel=0.05)
    assert plate.pixels[120, 80].tolist() == [255, 0, 0]
    u, v, _ = plate.to_metres @ [0, 0, 1]
    assert (u, v) == pytest.approx((-2 + 0.5 / 40, 3 - 0.5 / 80))


def test_a_random_field_is_smooth_and_repeatable():
    field = noise(np.random.default_rng(0), 40, 60, (8.0, 8.0), 1)
    assert (field.shape, field.dtype) == ((40, 60), np.float32)
    assert (noise(np.random.default_rng(0), 40, 60, (8.0, 8.0), 1) == field).all()
    assert np.abs(np.diff(field, axis=1)).mean() < 0.3 * field.std()


def test_colours_are_mixed_by_shares():
    assert mixed((0.0, 100.0, 200.0), (100.0, 100.0, 0.0), 0.25) == (25.0, 100.0, 150.0)
