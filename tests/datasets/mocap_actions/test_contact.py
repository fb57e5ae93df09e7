"""Contact with the ground: what stands is kept, what is free is let go."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.mocap_actions.contact import freedom, keep_contacts
from harness.datasets.mocap_actions.motion import (
    JOINTS,
    TURNING,
    Pose,
    forward_kinematics,
    load,
    matrices,
    multiply,
    sample,
)

ENDS = ("left_ankle", "right_ankle", "left_wrist", "right_wrist")


def changed(pose, degrees, seed=0):
    """Turn every joint about a random axis, the same at all times, and lower the hips."""
    vectors = np.random.default_rng(seed).normal(size=(len(TURNING), 3))
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    half = np.radians(degrees) / 2
    turn = np.concatenate([np.full((len(TURNING), 1), np.cos(half)), np.sin(half) * vectors], axis=-1)
    rotations = multiply(pose.rotations, turn[None])
    for index, joint in enumerate(TURNING):
        if joint.endswith(("knee", "elbow")):
            rotations[:, index] = pose.rotations[:, index]
    return Pose(pose.root - [0.0, 0.05, 0.0], rotations)


def everything(pose, share):
    return {joint: np.full(len(pose.root), share) for joint in JOINTS}


@pytest.mark.parametrize("name", ["walk", "crawl", "roll"])
def test_hands_and_feet_that_stand_are_where_they_were(name):
    recorded = sample(load(name), np.linspace(0, 2, 25))
    pose = changed(recorded, 6.0)
    kept = forward_kinematics(keep_contacts(pose, recorded, everything(pose, 0.0)))
    moved, before = forward_kinematics(pose), forward_kinematics(recorded)
    for joint in ENDS:
        assert np.abs(moved.at(joint) - before.at(joint)).max() > 0.03
        assert np.median(np.linalg.norm(kept.at(joint) - before.at(joint), axis=-1)) < 1e-6
        assert np.linalg.norm(kept.at(joint) - before.at(joint), axis=-1).max() < 0.08  # out of reach
    for foot in ("left_ankle", "right_ankle"):
        assert np.allclose(kept.frame(foot), before.frame(foot))
    for joint in ("root", "chest", "neck"):
        assert np.allclose(kept.frame(joint), moved.frame(joint))


def test_free_limbs_keep_their_change():
    recorded = sample(load("cartwheel"), np.linspace(0, 2, 25))
    pose = changed(recorded, 10.0)
    kept = keep_contacts(pose, recorded, everything(pose, 1.0))
    assert np.allclose(forward_kinematics(kept).positions, forward_kinematics(pose).positions, atol=1e-6)
    bent = TURNING.index("left_elbow")
    assert np.allclose(matrices(kept.rotations[:, bent]), matrices(pose.rotations[:, bent]), atol=1e-6)


def test_a_limb_half_free_goes_half_the_way():
    recorded = sample(load("walk"), np.linspace(0, 1, 9))
    pose = changed(recorded, 4.0)
    half = forward_kinematics(keep_contacts(pose, recorded, everything(pose, 0.5))).at("left_wrist")
    middle = (forward_kinematics(pose).at("left_wrist") + forward_kinematics(recorded).at("left_wrist")) / 2
    assert np.allclose(half, middle, atol=1e-6)


def test_walkers_stand_on_one_foot_and_are_free_above():
    free = freedom(sample(load("walk"), np.linspace(0, 1.2, 60)))
    feet = np.stack([free["left_ankle"], free["right_ankle"]])
    assert feet.min(0).max() < 0.1
    assert feet.max(1).min() > 0.2
    assert (np.sort(feet, axis=0)[0] == 0).mean() > 0.9
    for joint in ("root", "chest", "neck", "left_hip", "right_shoulder", "left_wrist"):
        assert (free[joint] == 1).all()


def test_who_lies_is_free_nowhere_and_who_flies_everywhere():
    lying = freedom(sample(load("getup_faceup"), np.array([0.0])))
    assert lying["root"] == lying["chest"] == 0
    flying = freedom(sample(load("backflip"), np.linspace(0, 1.75, 80)))
    assert min(share.max() for share in flying.values()) == 1
