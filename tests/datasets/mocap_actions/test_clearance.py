"""Clearance between limbs, against a slow twin."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions.clearance import PAIRS, SPOTS, clearance
from harness.datasets.mocap_actions.motion import INDEX, Skeleton, forward_kinematics, load, sample


def slow(skeleton):
    """Least distances by search along the other bone."""
    least = []
    for (start, end), (low, high), touching in PAIRS:
        nearest = touching
        for positions in skeleton.positions:
            for share in SPOTS:
                point = positions[INDEX[start]] + share * (positions[INDEX[end]] - positions[INDEX[start]])
                along = np.linspace(positions[INDEX[low]], positions[INDEX[high]], 2001)
                nearest = min(nearest, np.linalg.norm(point - along, axis=-1).min())
        least.append(nearest)
    return least


@pytest.mark.parametrize("name", ["spin", "punch"])
def test_it_is_the_slow_twins(name):
    skeleton = forward_kinematics(sample(load(name), np.linspace(0, 2, 7)))
    assert clearance(skeleton) == pytest.approx(slow(skeleton), abs=1e-5)


def test_a_hand_in_the_chest_is_seen():
    skeleton = forward_kinematics(sample(load("walk"), np.zeros(1)))
    assert (clearance(skeleton)[2:] == [touching for _, _, touching in PAIRS[2:]]).all()
    positions = skeleton.positions.copy()
    positions[:, INDEX["left_wrist"]] = (positions[:, INDEX["root"]] + positions[:, INDEX["neck"]]) / 2
    arm = [pair[:2] for pair in PAIRS].index((("left_elbow", "left_wrist"), ("root", "neck")))
    assert clearance(Skeleton(positions, skeleton.frames))[arm] == pytest.approx(0, abs=1e-9)
