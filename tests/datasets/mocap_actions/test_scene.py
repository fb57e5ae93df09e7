"""Scenes: clips of a group differ in motion, all drawn from the seed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from harness.datasets.mocap_actions.people import OUTFITS
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import SIZES, Group, Spec, groups
from harness.datasets.mocap_actions.scene import clip, scene
from harness.video.decode import decode
from harness.video.write import write_video

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


def drawn(tmp_path, video, version):
    """Write a clip of the mini set and decode it again; its joints too."""
    spec = replace(SIZES["mini"], version=version)
    of, number = next((of, n) for of in groups(spec, biased=True, seed=0) for n in (1, 2) if of.video(n) == video)
    made = clip(scene(of, spec, 0), number, spec, 0)
    write_video(tmp_path / "clip.avi", made.frames, spec.fps)
    return decode(tmp_path / "clip.avi", total=spec.frames), made.joints


@pytest.mark.parametrize(
    ("video", "frames", "joints"),
    [
        ("Backflip/v_Backflip_g01_c01", "d1b994aec07968a823c5", "60bf8fba2feac5262462"),
        ("Kick/v_Kick_g08_c02", "344844e85d89998297bf", "31509e6145fd70b2b25a"),
        ("Spin/v_Spin_g15_c01", "f25f40c6ec7f1dce603d", "80582031f924e3797f08"),
        ("Walk/v_Walk_g25_c02", "70f21483c765cb08c1b4", "380e6984a0ce3bb2c8df"),
    ],
)
def test_version_1_is_drawn_as_it_was_published(tmp_path, video, frames, joints):
    decoded, where = drawn(tmp_path, video, 1)
    assert hashlib.sha256(decoded.tobytes()).hexdigest()[:20] == frames
    assert hashlib.sha256(where.tobytes()).hexdigest()[:20] == joints


def test_version_2_differs_in_the_performance_alone():
    old, new = (scene(group(3), replace(SPEC, version=version), 0) for version in (1, 2))
    assert old.take is None
    assert new.take.motion is old.motion
    assert (new.shot, new.heading) == (old.shot, old.heading)
    assert (new.person.offsets == old.person.offsets).all()
    assert (new.place.site.backdrop.pixels == old.place.site.backdrop.pixels).all()
    one, other = (clip(where, 1, SPEC, 0) for where in (old, new))
    assert np.abs(one.joints - other.joints).max() > 3


def test_a_group_has_one_take_and_others_have_others():
    one, same, other = (scene(replace(group(3), number=number), SPEC, 0).take for number in (1, 1, 2))
    assert (one.mirrored, one.tempo) == (same.mirrored, same.tempo)
    assert (one.phases == same.phases).all()
    assert (one.phases != other.phases).all()
