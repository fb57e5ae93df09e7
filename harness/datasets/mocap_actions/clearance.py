"""Clearance: how far arms and legs keep from each other, from trunk and from head."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.motion import INDEX, Array, Skeleton

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
_STARTS, _ENDS, _LOWS, _HIGHS = (
    np.array([INDEX[joint] for joint in joints])
    for joints in zip(*(one + other for one, other, _ in PAIRS), strict=True)
)
_TOUCHING = np.array([touching for _, _, touching in PAIRS])


def clearance(skeleton: Skeleton) -> Array:
    """Measure the least distance of each of `PAIRS` over T poses.

    Returns:
        (10,) metres, at most the distance of bones that touch.
    """
    start, end, low, high = (skeleton.positions[:, None, joints] for joints in (_STARTS, _ENDS, _LOWS, _HIGHS))
    point = start + np.array(SPOTS)[:, None, None] * (end - start) - low  # (T, spots, pairs, 3)
    along = high - low
    nearest = np.clip((point * along).sum(-1) / (along**2).sum(-1), 0.0, 1.0)[..., None]
    distance = np.linalg.norm(point - nearest * along, axis=-1)
    return np.asarray(np.minimum(distance.min(axis=(0, 1)), _TOUCHING))
