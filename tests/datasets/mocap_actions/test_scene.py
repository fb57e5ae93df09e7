"""Scenes: clips of a group differ in motion, all drawn from the seed."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.people import OUTFITS
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import Group, Spec
from harness.datasets.mocap_actions.scene import clip, scene

SPEC = Spec(clips=2, frames=12, fps=6.0, width=128, height=96)


def group(action):
    return Group(action, 1, list(KINDS)[(4 * action + 1) % 15], list(OUTFITS)[(7 * action + 1) % 15])


def test_frames_show_motion_and_clips_of_a_group_differ():
    where = scene(group(11), SPEC, 0)
    first, second = (clip(where, number, SPEC, 0) for number in (1, 2))
    assert np.abs(np.diff(first.joints, axis=0)).max() > 3
    assert np.abs(first.joints - second.joints).max() > 3
    assert np.abs(first.frames.astype(int) - second.frames).mean() > 5


def test_equal_seeds_draw_equal_clips_and_others_other_ones():
    one, same = (clip(scene(group(3), SPEC, 5), 2, SPEC, 5) for _ in range(2))
    other = clip(scene(group(3), SPEC, 6), 2, SPEC, 6)
    assert (one.frames == same.frames).all()
    assert (one.joints == same.joints).all()
    assert (one.frames != other.frames).any()
