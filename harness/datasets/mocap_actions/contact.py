"""Contact with the ground: hands and feet that stand keep their place."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.body import TOUCHING
from harness.datasets.mocap_actions.motion import (
    INDEX,
    JOINTS,
    OFFSETS,
    PARENTS,
    TURNING,
    Array,
    Pose,
    blend,
    forward_kinematics,
    matrices,
    multiply,
)

CLEAR = (0.04, 0.16)
"""Metres from skin to ground at which a joint stands, and is free."""
LIMBS = {"hip": ("knee", "ankle", -1.0), "shoulder": ("elbow", "wrist", 1.0)}
"""Upper, middle and lower joint of a limb, and the sign of the hinge's angle."""
ENDS = ("wrist", "ankle", "toe")


def freedom(pose: Pose) -> dict[str, Array]:
    """Measure how free of the ground the joints are, each (T,) from 0 to 1.

    A wrist or ankle is as free as the hand or foot. Any other joint is as free as all that moves with it, except for
    hands and feet, which `keep_contacts` puts back.
    """
    skeleton = forward_kinematics(pose)
    free = {joint: np.ones(len(pose.root)) for joint in JOINTS}
    for joint in reversed(JOINTS[1:]):  # children come after their parents
        skin = skeleton.at(joint)[:, 1] - TOUCHING.get(joint, 0.1)
        share = np.clip((skin - CLEAR[0]) / (CLEAR[1] - CLEAR[0]), 0.0, 1.0)
        clear = share * share * (3 - 2 * share)
        parent = JOINTS[PARENTS[INDEX[joint]]]
        if joint.endswith(ENDS):
            free[joint] = np.minimum(free[joint], clear)
        if joint.endswith("toe"):
            free[parent] = free[joint]
        elif not joint.endswith(ENDS):
            free[parent] = np.minimum(free[parent], np.minimum(free[joint], clear))
    return free


def keep_contacts(pose: Pose, recorded: Pose, free: dict[str, Array]) -> Pose:
    """Bend limbs so that hands and feet are where they were recorded, unless free.

    Solves each limb in closed form: its hinge gives the distance, its upper joint the direction, its lower one the
    foot's own rotation.

    Args:
        pose: Changed poses.
        recorded: The poses before the change.
        free: Share of the change that each wrist and ankle keeps, as from `freedom`.
    """
    before, after = forward_kinematics(recorded), forward_kinematics(pose)
    rotations = pose.rotations.copy()
    trunk = {"hip": rotations[:, 0], "shoulder": multiply(rotations[:, 0], rotations[:, TURNING.index("chest")])}
    for side in ("right", "left"):
        for upper, (middle, lower, sign) in LIMBS.items():
            joints = [f"{side}_{joint}" for joint in (upper, middle, lower)]
            share = free[joints[2]][:, None]
            kept = before.at(joints[2]) + share * (after.at(joints[2]) - before.at(joints[2]))
            way = np.einsum("tji,tj->ti", matrices(trunk[upper]), kept - after.at(joints[0]))
            top, hinge = _limb(way, rotations[:, TURNING.index(joints[0])], sign, joints)
            shin = multiply(multiply(trunk[upper], top), hinge)
            rotations[:, TURNING.index(joints[0])], rotations[:, TURNING.index(joints[1])] = top, hinge
            if lower == "ankle":
                foot = blend(_world(recorded, joints), _world(pose, joints), share)
                rotations[:, TURNING.index(joints[2])] = multiply(_inverse(shin), foot)
    return Pose(pose.root, rotations)


def _limb(way: Array, top: Array, sign: float, joints: list[str]) -> tuple[Array, Array]:
    """Solve for upper joint and hinge (T, 4) of a limb that ends at `way` (T, 3).

    The law of cosines gives the hinge's angle; the upper joint turns the short way from its present direction.
    """
    first, second = (float(np.linalg.norm(OFFSETS[INDEX[joint]])) for joint in joints[1:])
    distance = np.linalg.norm(way, axis=-1)
    cosine = np.clip((distance**2 - first**2 - second**2) / (2 * first * second), -1.0, 1.0)
    angle = sign * np.arccos(cosine)
    zero = np.zeros_like(angle)
    local = np.stack([second * np.sin(angle), -first - second * cosine, zero], axis=-1)
    present = np.einsum("tij,tj->ti", matrices(top), local)
    present /= np.linalg.norm(present, axis=-1, keepdims=True)
    wanted = way / distance[:, None]
    short = np.concatenate([1 + (present * wanted).sum(-1, keepdims=True), np.cross(present, wanted)], axis=-1)
    short /= np.linalg.norm(short, axis=-1, keepdims=True)
    hinge = np.stack([np.cos(angle / 2), zero, zero, np.sin(angle / 2)], axis=-1)
    return multiply(short, top), hinge


def _world(pose: Pose, leg: list[str]) -> Array:
    """Rotation of a foot in the world, (T, 4)."""
    rotation = pose.rotations[:, 0]
    for joint in leg:
        rotation = multiply(rotation, pose.rotations[:, TURNING.index(joint)])
    return rotation


def _inverse(rotation: Array) -> Array:
    return np.asarray(rotation * np.array([1.0, -1.0, -1.0, -1.0]))
