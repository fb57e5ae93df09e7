"""Clearance: how far arms and legs keep from each other, from trunk and from head."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.motion import Array, Skeleton

Bone = tuple[str, str]

TRUNK, HEAD = ("root", "neck"), ("neck", "head")
SPOTS = (0.25, 0.6, 1.0)
"""Shares of a bone at which its distance from another is taken."""


def _pairs() -> list[tuple[Bone, Bone, float]]:
    """List pairs of bones with the metres of limbs that touch."""
    forearms = [(f"{side}_elbow", f"{side}_wrist") for side in ("left", "right")]
    thighs = [(f"{side}_hip", f"{side}_knee") for side in ("left", "right")]
    shins = [(f"{side}_knee", f"{side}_ankle") for side in ("left", "right")]
    pairs = [(shins[0], shins[1], 0.09), (forearms[0], forearms[1], 0.07)]
    for forearm in forearms:
        pairs += [(forearm, TRUNK, 0.12), (forearm, HEAD, 0.1), *((forearm, thigh, 0.07) for thigh in thighs)]
    return pairs


PAIRS = _pairs()


def clearance(skeleton: Skeleton) -> Array:
    """Measure the least distance of each of `PAIRS` over T poses.

    Returns:
        (10,) metres, at most the distance of bones that touch.
    """
    nearest = [min(_distance(skeleton, one, share, other).min() for share in SPOTS) for one, other, _ in PAIRS]
    return np.minimum(nearest, [touching for _, _, touching in PAIRS])


def _distance(skeleton: Skeleton, one: Bone, share: float, other: Bone) -> Array:
    """Distance (T,) of a point on one bone from another bone."""
    start, end = (skeleton.at(joint) for joint in one)
    low, high = (skeleton.at(joint) for joint in other)
    point, along = start + share * (end - start) - low, high - low
    nearest = np.clip((point * along).sum(-1) / (along**2).sum(-1), 0.0, 1.0)[:, None]
    return np.asarray(np.linalg.norm(point - nearest * along, axis=-1))
