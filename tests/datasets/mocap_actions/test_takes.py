"""Takes: performances of one recording that no two groups share, within human limits."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from harness.datasets.mocap_actions import takes
from harness.datasets.mocap_actions.body import TOUCHING, stand
from harness.datasets.mocap_actions.contact import freedom
from harness.datasets.mocap_actions.motion import (
    HINGES,
    INDEX,
    TURNING,
    forward_kinematics,
    load,
    mirror,
    names,
    sample,
)
from harness.datasets.mocap_actions.plan import TESTED, Stream, stream
from harness.datasets.mocap_actions.takes import BEND, BENT, LONG, REACH, TOLERANCE, TURN, Take, take

GROUPS = range(1, 26)


@pytest.fixture(scope="module")
def performed():
    """The takes of all groups, by action and number."""
    return {
        (action, number): take(load(name), stream(0, Stream.TAKE, action, number))
        for action, name in enumerate(names())
        for number in GROUPS
    }


def times(of: Take, count=100):
    return np.linspace(0, LONG, count) if of.motion.wraps else np.linspace(*of.core(), count)


def distances(one, others):
    """Joint angles in degrees (root mean square over joints) between all samples of one pose and of others.

    |q . p|, the cosine of half the angle between two rotations, squared is the dot product of q q' and p p'.
    """

    def features(pose):
        joints = pose.rotations[:, 1:]
        return np.einsum("tji,tjk->tjik", joints, joints).reshape(len(joints), -1)

    cosines = features(one) @ np.concatenate([features(pose) for pose in others]).T / (len(TURNING) - 1)
    return np.degrees(2 * np.arcsin(np.sqrt(np.clip(1 - cosines, 0, 1)))).reshape(len(one.root), len(others), -1)


def nearest(one, others):
    """Distance (T, others) of each sample of one pose from the nearest of each other's at any time, mirrored too."""
    return np.minimum(distances(one, others).min(-1), distances(mirror(one), others).min(-1))


@pytest.mark.parametrize("action", range(15))
def test_no_performance_of_a_test_group_is_that_of_a_training_group(performed, action):
    poses = {number: performed[action, number].perform(times(performed[action, number])) for number in GROUPS}
    for tested in TESTED:
        trained = [poses[number] for number in GROUPS if number not in tested]
        for number in tested:
            apart = nearest(poses[number], trained)
            assert apart.mean(0).min() > 4  # degrees
            assert (apart < 1).mean(0).max() < 0.1


def test_the_measure_finds_what_is_the_same_up_to_resampling():
    recorded = load("walk")
    one = sample(recorded, np.linspace(0, 3, 100))
    faster, mirrored = sample(recorded, np.linspace(0.3, 5, 400)), mirror(sample(recorded, np.linspace(0, 2.6, 400)))
    assert nearest(one, [faster, mirrored]).max() < 1.5
    other = sample(load("run"), np.linspace(0, 5, 400))
    assert nearest(one, [other]).mean() > 10


def test_sides_and_tempi_differ_between_groups(performed):
    mirrored = np.array([[performed[action, number].mirrored for number in GROUPS] for action in range(15)])
    assert 0.4 < mirrored.mean() < 0.6
    assert (mirrored.sum(1) > 2).all()
    assert (mirrored.sum(1) < 23).all()
    tempi = [one.tempo for one in performed.values()]
    assert np.ptp(tempi) > 0.35


def test_time_only_goes_on_and_begins_at_the_start(performed):
    seconds = np.linspace(0, LONG, 4000)
    for one in list(performed.values())[::25]:
        recorded = one.recorded(seconds)
        pace = np.diff(recorded) / np.diff(seconds) / one.tempo
        assert recorded[0] == 0
        assert 0.8 < pace.min() < 0.98
        assert 1.02 < pace.max() < 1.2


@pytest.mark.parametrize("name", ["kick", "getup_faceup"])
def test_what_must_be_seen_is_found_in_the_takes_time(name):
    one = take(load(name), np.random.default_rng(4))
    assert one.recorded(np.array(one.core())) == pytest.approx(takes.CORE[name], abs=1e-3)


@pytest.mark.parametrize("name", names())
def test_changes_are_within_their_limits(name):
    one = take(load(name), np.random.default_rng(1))
    recorded = sample(one.motion, np.linspace(0, 4, 80))
    changed = one._varied(recorded, np.linspace(0, 4, 80), freedom(recorded))
    for index, joint in enumerate(TURNING):
        part = joint.split("_")[-1]
        before, after = (Rotation.from_quat(np.roll(pose.rotations[:, index], -1, -1)) for pose in (recorded, changed))
        change = np.degrees((before.inv() * after).magnitude())
        if joint in HINGES:
            low, high = BENT[part]
            was, angle = (np.degrees(rotation.as_rotvec()[:, 2]) for rotation in (before, after))
            assert (change <= BEND[part] + 1e-6).all()
            assert (angle >= np.minimum(low, was) - 1e-6).all()
            assert (angle <= np.maximum(high, was) + 1e-6).all()
        else:
            assert (change <= TURN[part] + 1e-6).all()
            reached = np.maximum(REACH[part], np.degrees(before.magnitude()))
            assert (np.degrees(after.magnitude()) <= reached + 1e-6).all()


@pytest.mark.parametrize("name", names())
def test_poses_are_a_persons_and_follow_each_other_smoothly(performed, name):
    one = performed[names().index(name), 5]
    seconds = np.arange(0, 4, 0.01)
    pose, recorded = one.perform(seconds), sample(one.motion, np.arange(0, 4, 0.01))
    assert np.allclose(np.linalg.norm(pose.rotations, axis=-1), 1)
    for joint in HINGES:
        index = TURNING.index(joint)
        angle = np.degrees(2 * np.arctan2(pose.rotations[:, index, 3], pose.rotations[:, index, 0]))
        low, high = (-165, 1) if joint.endswith("knee") else (-1, 150)
        assert (angle > low).all()
        assert (angle < high).all()

    def fastest(of):
        turned = np.abs((of.rotations[1:] * of.rotations[:-1]).sum(-1))
        return np.degrees(2 * np.arccos(np.clip(turned, 0, 1))).max() / 0.01

    assert fastest(pose) < 2 * one.tempo * fastest(recorded) + 100


def slides(pose, step):
    """Metres per second of hands and feet on the ground, on average."""
    skeleton = stand(forward_kinematics(pose))
    speeds = []
    for joint in (f"{side}_{end}" for side in ("left", "right") for end in ("toe", "ankle", "wrist")):
        place = skeleton.positions[:, INDEX[joint]]
        low = place[:, 1] - TOUCHING[joint] < 0.03
        speeds.append((np.linalg.norm(np.diff(place[:, [0, 2]], axis=0), axis=-1) / step)[low[1:] & low[:-1]])
    return np.concatenate(speeds).mean()


@pytest.mark.parametrize("name", names())
def test_hands_and_feet_slide_no_more_than_in_the_recording(performed, name):
    recorded = load(name)
    step = 0.02
    span = 6.0 if recorded.wraps else recorded.seconds
    before = slides(sample(recorded, np.arange(0, span, step)), step)
    group = [replace(performed[names().index(name), number], tempo=1.0) for number in (2, 9, 16)]
    after = np.mean([slides(one.perform(np.arange(0, span, step)), step) for one in group])
    assert after < 1.15 * before + 0.04


def test_limbs_go_through_nothing(performed):
    assert max(takes._overlap(performed[action, number]) for action in range(15) for number in (1, 12)) <= TOLERANCE


def test_a_mirrored_take_is_the_takes_mirror_image():
    one = take(load("punch"), np.random.default_rng(0))
    seconds = np.linspace(0, 2, 9)
    image = replace(one, mirrored=not one.mirrored).perform(seconds)
    seen = mirror(one.perform(seconds))
    assert np.allclose(seen.root, image.root)
    assert np.allclose(seen.rotations, image.rotations)
