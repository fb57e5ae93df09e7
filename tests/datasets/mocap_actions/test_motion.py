"""Motions: kinematics against a slow twin, resampling, repeating, mirroring."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from harness.datasets.mocap_actions import motion

NAMES = motion.names()


def test_the_fifteen_motions_are_there():
    assert len(NAMES) == 15
    assert {name for name in NAMES if not motion.load(name).wraps} == set(motion.CORE)
    for name in NAMES:
        recorded = motion.load(name)
        assert recorded.times[0] == 0
        assert (np.diff(recorded.times) > 0).all()
        assert np.allclose(np.linalg.norm(recorded.rotations, axis=-1), 1)


def slow_kinematics(root, rotations, offsets):
    """One frame, one joint at a time, with SciPy's rotations."""
    positions, turned = {}, {}
    for joint, parent, offset in zip(motion.JOINTS, motion.PARENTS, offsets, strict=True):
        own = Rotation.identity()
        if joint in motion.TURNING:
            own = Rotation.from_quat(np.roll(rotations[motion.TURNING.index(joint)], -1))  # SciPy puts w last
        if parent < 0:
            positions[joint], turned[joint] = root, own
        else:
            above = motion.JOINTS[parent]
            positions[joint] = positions[above] + turned[above].apply(offset)
            turned[joint] = turned[above] * own
    return [positions[joint] for joint in motion.JOINTS], [turned[joint].as_matrix() for joint in motion.JOINTS]


@pytest.mark.parametrize("name", ["cartwheel", "getup_faceup", "spinkick"])
def test_forward_kinematics_is_its_slow_twin(name):
    offsets = motion.OFFSETS * np.random.default_rng(0).uniform(0.8, 1.2, motion.OFFSETS.shape)
    pose = motion.sample(motion.load(name), np.linspace(-0.5, 4, 7))
    skeleton = motion.forward_kinematics(pose, offsets)
    for frame in range(7):
        positions, turned = slow_kinematics(pose.root[frame], pose.rotations[frame], offsets)
        assert np.allclose(skeleton.positions[frame], positions)
        assert np.allclose(skeleton.frames[frame], turned)


@pytest.mark.parametrize("name", NAMES)
def test_bones_keep_their_lengths_and_bodies_stay_near_the_ground(name):
    skeleton = motion.forward_kinematics(motion.sample(motion.load(name), np.linspace(-1, 7, 60)))
    for joint in range(1, len(motion.JOINTS)):
        bone = skeleton.positions[:, joint] - skeleton.positions[:, motion.PARENTS[joint]]
        assert np.allclose(np.linalg.norm(bone, axis=-1), np.linalg.norm(motion.OFFSETS[joint]))
    heights = skeleton.positions[:, :, 1]
    assert heights.min() > -0.1
    assert heights.max() < 2.1


def test_at_a_key_frame_stands_what_was_recorded():
    recorded = motion.load("kick")
    pose = motion.sample(recorded, recorded.times)
    assert np.allclose(pose.root, recorded.root)
    assert np.allclose(np.abs((pose.rotations * recorded.rotations).sum(-1)), 1)


def test_between_key_frames_lies_what_lies_between():
    recorded = motion.load("walk")
    middle = motion.sample(recorded, (recorded.times[3:4] + recorded.times[4:5]) / 2)
    assert np.allclose(middle.root, (recorded.root[3] + recorded.root[4]) / 2)
    joint = motion.TURNING.index("right_knee")
    angles = [2 * np.arctan2(q[3], q[0]) for q in (*recorded.rotations[3:5, joint], middle.rotations[0, joint])]
    assert angles[2] == pytest.approx((angles[0] + angles[1]) / 2, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in motion.CORE])
def test_cycles_join_without_a_jump_and_go_on(name):
    recorded = motion.load(name)
    seam = np.array([recorded.seconds - 1e-7, recorded.seconds + 1e-7])
    joined = motion.forward_kinematics(motion.sample(recorded, seam))
    assert np.abs(np.diff(joined.positions, axis=0)).max() < 1e-5
    times = np.array([0.3, 0.3 + 2 * recorded.seconds])
    roots = motion.sample(recorded, times).root
    advance = 2 * (recorded.root[-1] - recorded.root[0]) * [1, 0, 1]
    assert np.allclose(roots[1] - roots[0], advance)


def test_who_has_finished_stands_still_but_lives():
    recorded = motion.load("punch")
    late = recorded.seconds + np.linspace(0, 1, 9)
    skeleton = motion.forward_kinematics(motion.sample(recorded, late))
    assert np.ptp(skeleton.at("left_toe"), axis=0).max() < 1e-9
    assert 0.005 < np.ptp(skeleton.at("head"), axis=0).max() < 0.1


def test_a_mirrored_pose_is_the_reflection_with_sides_exchanged():
    pose = motion.sample(motion.load("punch"), np.linspace(0, 2, 5))
    seen = motion.forward_kinematics(pose)
    mirrored = motion.forward_kinematics(motion.mirror(pose))
    for joint in motion.JOINTS:
        assert np.allclose(mirrored.at(joint), seen.at(motion.other_side(joint)) * [1, 1, -1])


def test_turning_turns_everything_about_the_vertical():
    pose = motion.sample(motion.load("dance_a"), np.linspace(0, 1, 4))
    turned = motion.forward_kinematics(motion.turn(pose, 0.7)).positions
    expected = Rotation.from_rotvec([0, 0.7, 0]).apply(motion.forward_kinematics(pose).positions.reshape(-1, 3))
    assert np.allclose(turned.reshape(-1, 3), expected)
