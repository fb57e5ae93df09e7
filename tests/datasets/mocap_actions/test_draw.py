"""Drawn clips: the person is where the joints are."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions import draw as drawing
from harness.datasets.mocap_actions import scene as staging
from harness.datasets.mocap_actions.people import OUTFITS
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import Group, Spec

SPEC = Spec(clips=2, frames=12, fps=6.0, width=128, height=96)


def group(action, number=1):
    return Group(action, number, list(KINDS)[(4 * action + number) % 15], list(OUTFITS)[(7 * action + number) % 15])


@pytest.fixture(scope="module")
def clips():
    return [staging.clip(staging.scene(group(action), SPEC, 0), 1, SPEC, 0) for action in range(15)]


@pytest.fixture(scope="module")
def deserted():
    """The same clips without the body, all else equal; the shadow stays."""
    patch = pytest.MonkeyPatch()
    patch.setattr(drawing, "_paint", lambda *_: None)
    try:
        yield [staging.clip(staging.scene(group(action), SPEC, 0), 1, SPEC, 0) for action in range(15)]
    finally:
        patch.undo()


def test_shapes_and_types(clips):
    for clip in clips:
        assert clip.frames.shape == (12, 96, 128, 3)
        assert clip.frames.dtype == np.uint8
        assert clip.joints.shape == (12, 9, 2)
        assert clip.joints.dtype == np.float32
        assert clip.visible.shape == (12, 9)
        assert clip.visible.dtype == bool
        inside = ((clip.joints >= 0) & (clip.joints <= [127, 95])).all(-1)
        assert (clip.visible == inside).all()


def test_joints_are_nearly_always_in_the_picture(clips):
    shares = np.array([clip.visible.mean() for clip in clips])
    assert shares.mean() > 0.98
    assert shares.min() > 0.85


def test_the_person_is_under_the_joints_and_only_around_them(clips, deserted):
    on, off = [], []
    for full, empty in zip(clips, deserted, strict=True):
        changed = np.abs(full.frames.astype(int) - empty.frames).max(-1) > 12  # (T, H, W)
        for frame in range(12):
            seen = full.joints[frame][full.visible[frame]]
            x, y = np.round(seen).astype(int).T
            on += changed[frame, y, x].tolist()
            far = np.ones((96, 128), bool)
            left, top = np.clip(seen.min(0) - 45, 0, None).astype(int)
            right, bottom = (seen.max(0) + 45).astype(int)
            far[top:bottom, left:right] = False
            off += changed[frame][far].tolist()
    assert np.mean(on) > 0.97
    assert np.mean(off) < 0.001


def test_people_are_brighter_than_their_places(clips, deserted):
    contrast = []
    for full, empty in zip(clips, deserted, strict=True):
        painted = np.abs(full.frames.astype(int) - empty.frames).max(-1) > 12
        brighter = full.frames[painted].astype(int).sum(-1) - empty.frames[painted].sum(-1, dtype=int)
        contrast.append(np.mean(brighter > 0))
    assert np.mean(contrast) > 0.65  # the rest is hair
