"""Convex shapes that a body is made of, and points in the frames of its joints."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.datasets.mocap_actions.motion import Array, Skeleton
from harness.datasets.mocap_actions.plate import Colour


@dataclass(frozen=True, slots=True)
class Balls:
    """Balls at each of T times."""

    centres: Array
    """(T, n, 3) metres."""
    radii: Array
    """(n,) metres; 0 for a point."""
    lean: Array | float = 0.0
    """(T, n, 1) metres by which they move towards the light."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Convex hull of balls, and within it the hull of those that the light catches."""

    colour: Colour
    anchor: Array
    """(T, 3) point whose distance decides the order of painting, the farthest first."""
    shade: Balls | None
    """Painted in the colour's dark tone, or in the colour itself when it is flat."""
    light: Balls | None = None
    """Painted in the colour's bright tone."""
    flat: bool = False
    normals: Array | None = None
    """(T, n, 3) directions of the balls of `shade`; only those to the camera show."""


def limb(
    a: Array,
    b: Array,
    thick: float,
    thin: float,
    colour: Colour,
    *,
    bias: Array | None = None,
    after: Array | None = None,
) -> Shape:
    """Shape a limb from `a` to `b`.

    Its light begins in the limb that comes from `after`, so that joints do not look cut.
    """
    radii = np.array([thick, thin])
    centres = np.stack([a, b], axis=1)
    lit, lit_radii = centres, radii
    if after is not None:
        back = (after - a) / np.linalg.norm(after - a, axis=-1, keepdims=True)
        lit, lit_radii = np.stack([a + back * thick, a, b], axis=1), np.array([thick, thick, thin])
    middle = (a + b) / 2
    return Shape(
        colour,
        middle if bias is None else middle + bias,
        Balls(centres, radii),
        Balls(lit, 0.6 * lit_radii, 0.32 * lit_radii[:, None]),
    )


def ball(colour: Colour, anchor: Array, centres: Array, radii: Array) -> Shape:
    """Shape something round with light on it."""
    return Shape(colour, anchor, Balls(centres, radii), Balls(centres, 0.62 * radii, 0.3 * radii[:, None]))


def flat(colour: Colour, anchor: Array, centres: Array, radii: Array, normals: Array | None = None) -> Shape:
    """Shape something of one tone."""
    return Shape(colour, anchor, Balls(centres, radii), flat=True, normals=normals)


def between(a: Array, b: Array, share: float) -> Array:
    """Find the point `share` of the way from `a` to `b`."""
    return np.asarray(a + (b - a) * share)


def local_point(skeleton: Skeleton, joint: str, forward: float, up: float, right: float) -> Array:
    """Place a point given in a joint's own frame, (T, 3)."""
    return np.asarray(skeleton.at(joint) + skeleton.frame(joint) @ np.array([forward, up, right]))


def ring(skeleton: Skeleton, joint: str, up: float, wide: float, deep: float) -> Array:
    """Place an ellipse around the trunk, (T, 12, 3)."""
    angles = np.linspace(0, 2 * np.pi, 13)[:-1]
    local = np.stack([deep * np.cos(angles), np.full(12, up), wide * np.sin(angles)], axis=-1)
    return np.asarray(skeleton.at(joint)[:, None] + np.einsum("tij,nj->tni", skeleton.frame(joint), local))
