"""Cameras: projection, planes, and that all of it shows one world."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions.camera import film, shot
from harness.datasets.mocap_actions.motion import OFFSETS, forward_kinematics, load, names, sample
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import Group, Spec
from harness.datasets.mocap_actions.scene import _performed, scene

SECONDS = np.arange(16) / 12.5


def camera(seed, path=None):
    generator = np.random.default_rng(seed)
    way = np.zeros((16, 3)) if path is None else path
    return film(shot(generator), way, seconds=SECONDS, width=128, height=96, generator=generator)


@pytest.mark.parametrize("seed", range(6))
def test_axes_are_a_frame_and_a_person_stands_upright_in_the_picture(seed):
    filmed = camera(seed)
    assert np.allclose(filmed.axes @ filmed.axes.transpose(0, 2, 1), np.eye(3))
    assert np.allclose(np.linalg.det(filmed.axes), -1)  # right, up, forward: a left-handed order
    person = np.broadcast_to(np.array([[0.0, 0.0, 0.0], [0.0, 1.7, 0.0]]), (16, 2, 3))
    pixels, depth = filmed.project(person)
    share = (pixels[:, 0, 1] - pixels[:, 1, 1]) / 96
    assert (depth > 3).all()
    assert ((share > 0.45) & (share < 0.8)).all()


def test_right_of_the_camera_is_right_in_the_picture():
    filmed = camera(0)
    pixels, _ = filmed.project(np.broadcast_to(np.array([[-0.5, 1.0, 0.0], [0.5, 1.0, 0.0]]), (16, 2, 3)))
    assert (pixels[:, 1, 0] - pixels[:, 0, 0] > 10).all()


@pytest.mark.parametrize("seed", range(4))
def test_planes_are_seen_where_their_points_are(seed):
    filmed = camera(seed)
    plane = np.array([[1.0, 0.0, 0.3], [0.0, 1.0, 0.0], [0.1, -0.2, -4.0]])
    uv = np.random.default_rng(seed).uniform(-2, 2, (20, 2))
    points = np.concatenate([uv, np.ones((20, 1))], axis=1) @ plane.T
    pixels, _ = filmed.project(np.broadcast_to(points, (16, 20, 3)))
    for frame in (0, 15):
        mapped = np.concatenate([uv, np.ones((20, 1))], axis=1) @ filmed.homography(frame, plane).T
        assert np.allclose(mapped[:, :2] / mapped[:, 2:], pixels[frame])


def test_some_cameras_stand_still_and_others_move():
    moves = [np.ptp(camera(seed).project(np.zeros((16, 1, 3)))[0], axis=0).max() for seed in range(60)]
    still = np.mean(np.array(moves) < 1e-6)
    assert 0.25 < still < 0.65
    assert max(moves) > 5


@pytest.mark.parametrize("name", names())
def test_travellers_stay_in_view_and_on_the_ground_that_is_painted(name):
    spec = Spec(clips=1, frames=32, fps=12.5, width=128, height=96)
    seconds = np.arange(32) / 12.5
    for number in range(1, 7):
        where = scene(Group(names().index(name), number, sorted(KINDS)[number], "suit"), spec, seed=3)
        generator = np.random.default_rng(number)
        skeleton = forward_kinematics(_performed(where, seconds, generator), OFFSETS)
        filmed = film(where.shot, skeleton.at("root"), seconds=seconds, width=128, height=96, generator=generator)
        pixels, _ = filmed.project(skeleton.positions)
        inside = ((pixels >= 0) & (pixels <= [127, 95])).all(-1)
        assert inside.mean() > 0.97
        site = where.place.site
        ground, backdrop, _ = (
            (plane, plate) for plane, plate in zip(site.planes(), (site.ground, site.backdrop, None), strict=True)
        )
        corners = np.array([[x, y, 1.0] for x in (0, 127) for y in (0, 95)])
        for frame in (0, 31):
            for plane, plate in (ground, backdrop):
                u, v, w = np.linalg.inv(filmed.homography(frame, plane)) @ corners.T
                seen = (w > 0) & (v / w <= plate.top if plate is site.ground else v / w >= 0)
                assert (u / w)[seen].min(initial=0) >= plate.left
                assert (u / w)[seen].max(initial=0) <= plate.right
                if plate is site.ground:
                    assert (v / w)[seen].min(initial=0) >= plate.bottom


def test_one_motion_lies_whole_in_every_clip():
    spec = Spec(clips=1, frames=32, fps=12.5, width=128, height=96)
    where = scene(Group(names().index("kick"), 1, "gym", "suit"), spec, seed=0)
    highest = sample(load("kick"), np.linspace(0, 1.5, 60))
    reach = forward_kinematics(highest).positions[:, [7, 14], 1].max()
    for seed in range(12):
        pose = _performed(where, np.arange(32) / 12.5, np.random.default_rng(seed))
        feet = forward_kinematics(pose).positions[:, [7, 14], 1]
        assert feet.max() > 0.85 * reach
