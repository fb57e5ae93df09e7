"""Bodies: every outfit on a skeleton, on the ground."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions.body import FLIC, body, stand
from harness.datasets.mocap_actions.motion import INDEX, forward_kinematics, load, names, sample
from harness.datasets.mocap_actions.people import OUTFITS, person


def test_every_outfit_dresses_everybody():
    pose = sample(load("dance_a"), np.linspace(0, 1, 3))
    for number, outfit in enumerate(OUTFITS):
        who = person(outfit, np.random.default_rng(number))
        skeleton = stand(forward_kinematics(pose, who.offsets))
        dressed = body(who, skeleton)
        assert len(dressed.shapes) > 20
        for shape in dressed.shapes:
            assert shape.anchor.shape == (3, 3)
            assert all(np.isfinite(balls.centres).all() for balls in (shape.shade, shape.light) if balls)
        assert np.allclose(dressed.joints[:, 1], skeleton.at("left_shoulder"))
        nose, neck = dressed.joints[:, FLIC.index("nose")], skeleton.positions[:, INDEX["neck"]]
        assert (((nose - neck) * skeleton.frame("neck")[:, :, 0]).sum(-1) > 0.08).all()  # ahead of the face


@pytest.mark.parametrize("name", names())
def test_nobody_sinks_into_the_ground(name):
    who = person("suit", np.random.default_rng(1))
    skeleton = stand(forward_kinematics(sample(load(name), np.linspace(0, 4, 30)), who.offsets))
    assert skeleton.positions[:, :, 1].min() > -0.01
