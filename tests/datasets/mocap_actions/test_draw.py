"""Drawn clips: the person is where the joints are, places differ by kind, light and noise come from the sensor."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions import draw as drawing
from harness.datasets.mocap_actions import scene as staging
from harness.datasets.mocap_actions.body import FLIC, body, stand
from harness.datasets.mocap_actions.motion import INDEX, forward_kinematics, load, names, sample
from harness.datasets.mocap_actions.people import OUTFITS, person
from harness.datasets.mocap_actions.places import KINDS, place
from harness.datasets.mocap_actions.plan import Group, Spec
from harness.datasets.mocap_actions.plate import Plate

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


def test_frames_show_motion_and_clips_of_a_group_differ():
    where = staging.scene(group(11), SPEC, 0)
    first, second = (staging.clip(where, number, SPEC, 0) for number in (1, 2))
    assert np.abs(np.diff(first.joints, axis=0)).max() > 3
    assert np.abs(first.joints - second.joints).max() > 3
    assert np.abs(first.frames.astype(int) - second.frames).mean() > 5


def test_equal_seeds_draw_equal_clips_and_others_other_ones():
    one, same = (staging.clip(staging.scene(group(3), SPEC, 5), 2, SPEC, 5) for _ in range(2))
    other = staging.clip(staging.scene(group(3), SPEC, 6), 2, SPEC, 6)
    assert (one.frames == same.frames).all()
    assert (one.joints == same.joints).all()
    assert (one.frames != other.frames).any()


def test_every_kind_of_place_paints_all_of_its_backdrop_and_some_things():
    looks = {}
    for kind in KINDS:
        site = place(kind, np.random.default_rng(1), 20.0).site
        assert (site.backdrop.pixels.max(-1) > 0).mean() > 0.98
        assert (site.ground.pixels.max(-1) > 0).mean() > 0.98
        assert 0.01 < (site.things.pixels[..., 3] > 0).mean() < 0.8
        assert (site.things.pixels[..., :3] <= site.things.pixels[..., 3:]).all()  # premultiplied
        again, other = (place(kind, np.random.default_rng(seed), 20.0).site.backdrop.pixels for seed in (1, 2))
        assert (again == site.backdrop.pixels).all()
        assert again.shape != other.shape or (again != other).any()
        looks[kind] = site.backdrop.pixels[:40, :200].tobytes()
    assert len(set(looks.values())) == len(KINDS)


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


def test_plates_are_drawn_in_metres():
    plate = Plate(-2.0, 2.0, 0.0, 3.0, (40.0, 80.0))
    plate.box(-1.0, 1.0, 1.0, 2.0, (255.0, 0.0, 0.0))
    assert plate.pixels.shape == (240, 160, 3)
    assert plate.pixels[..., 0].sum() / 255 == pytest.approx(2.0 * 40 * 1.0 * 80, rel=0.05)
    assert plate.pixels[120, 80].tolist() == [255, 0, 0]
    u, v, _ = plate.to_metres @ [0, 0, 1]
    assert (u, v) == pytest.approx((-2 + 0.5 / 40, 3 - 0.5 / 80))
