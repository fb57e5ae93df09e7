"""Body of a person in a pose: convex shapes with colours, ready to be projected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.datasets.mocap_actions.motion import Array, Skeleton
from harness.datasets.mocap_actions.people import Person
from harness.datasets.mocap_actions.plate import darker
from harness.datasets.mocap_actions.shapes import Balls, Shape, ball, between, flat, limb, local_point, ring

FLIC = (
    *("nose", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip"),
)
"""Nine joints of the pose evaluator, in FLIC's order; left is the person's own."""
TOUCHING = {
    **{f"{side}_{joint}": size for side in ("left", "right") for joint, size in (("toe", 0.03), ("ankle", 0.06))},
    **{f"{side}_{joint}": size for side in ("left", "right") for joint, size in (("knee", 0.06), ("elbow", 0.04))},
    **{f"{side}_{joint}": size for side in ("left", "right") for joint, size in (("wrist", 0.04), ("hip", 0.09))},
    "head": 0.1,
    "chest": 0.09,
}
"""Metres from joints to the skin, where a body touches the ground."""


@dataclass(frozen=True, slots=True)
class Body:
    """A person in T poses."""

    shapes: list[Shape]
    skeleton: Skeleton
    joints: Array
    """(T, 9, 3) metres, in FLIC's order."""


def stand(skeleton: Skeleton) -> Skeleton:
    """Lift a body that would sink into the ground, and leave one that flies."""
    lowest = np.min([skeleton.at(joint)[:, 1] - size for joint, size in TOUCHING.items()], axis=0)
    lift = np.maximum(0.0, -lowest)[:, None, None] * np.array([0.0, 1.0, 0.0])  # type: ignore[misc, unused-ignore]  # NumPy 2.5
    return Skeleton(skeleton.positions + lift, skeleton.frames)


def body(person: Person, skeleton: Skeleton) -> Body:
    """Dress a skeleton.

    Args:
        person: Who.
        skeleton: Where the joints are, made with the person's own offsets.
    """
    size = person.height
    shapes = [*_trunk(person, skeleton, size)]
    for side in ("left", "right"):
        shapes += _arm(person, skeleton, side, size)
        shapes += _leg(person, skeleton, side, size)
    if person.outfit.legs in ("skirt", "dress"):
        shapes.append(_skirt(person, skeleton, size))
    nose, head = _head(person, skeleton, size * person.head)
    shapes += head
    joints = np.stack([nose, *(skeleton.at(joint) for joint in FLIC[1:])], axis=1)
    return Body(shapes, skeleton, joints)


def _trunk(person: Person, skeleton: Skeleton, size: float) -> list[Shape]:
    g, more = size * person.girth, person.outfit.bulk
    hips, chest = size * person.hips, size * person.shoulders
    rings = [
        ring(skeleton, "root", -0.10 * size, 0.08 * hips, 0.075 * g),
        ring(skeleton, "root", -0.02 * size, 0.155 * hips, 0.105 * g),
        ring(skeleton, "root", 0.07 * size, 0.135 * hips, 0.095 * g),
        ring(skeleton, "root", 0.15 * size, 0.118 * g + more, 0.088 * g + more),
        ring(skeleton, "chest", 0.02 * size, 0.132 * g + more, 0.1 * g + more),
        ring(skeleton, "chest", 0.11 * size, 0.15 * chest + more, 0.112 * g + more),
        ring(skeleton, "chest", 0.205 * size, 0.15 * chest + more, 0.085 * g + more),
        ring(skeleton, "chest", 0.262 * size, 0.065 * chest, 0.055 * g),
    ]
    bare = person.outfit.legs in ("bare", "dress")
    colours = [person.top if bare else person.bottom] * 2 + [person.top] * 5
    if person.pattern == "stripes":
        rings = [r for a, b in pairwise(rings) for r in (a, (a + b) / 2)] + [rings[-1]]
        colours = [c for colour in colours for c in (colour, person.accent if colour == person.top else colour)]
    anchor = between(skeleton.at("root"), skeleton.at("chest"), 0.7)
    shade, light = [], []
    for low, high, colour in zip(rings[:-1], rings[1:], colours, strict=True):
        points = np.concatenate([low, high], axis=1)
        cores = np.repeat(np.stack([low.mean(1), high.mean(1)], axis=1), 12, axis=1)
        reach = np.linalg.norm(points - cores, axis=-1, keepdims=True)
        shade.append(Shape(colour, anchor, Balls(points, np.zeros(24))))
        light.append(Shape(colour, anchor, None, Balls(cores + 0.68 * (points - cores), np.zeros(24), 0.3 * reach)))
    cloth = person.top if person.outfit.sleeves != "none" else person.skin
    for side in (-1.0, 1.0):  # shoulders, so that arms do not stand apart
        inner = local_point(skeleton, "chest", -0.01 * size, 0.195 * size, side * 0.07 * chest)
        shoulder = skeleton.at("right_shoulder" if side > 0 else "left_shoulder")
        centres = np.stack([inner, shoulder], axis=1)
        shade.append(Shape(cloth, anchor, Balls(centres, np.array([0.06, 0.055]) * g)))
        light.append(Shape(cloth, anchor, None, Balls(centres, np.array([0.037, 0.034]) * g, 0.018 * g)))
    shapes = shade + light
    if person.pattern in ("panel", "badge"):
        shapes += _front(person, skeleton, size, g, anchor)
    return shapes


def _front(person: Person, skeleton: Skeleton, size: float, g: float, anchor: Array) -> list[Shape]:
    """Shape a jacket's front or a shirt's badge, and its larger twin on the back."""
    deep = 0.118 * g + person.outfit.bulk
    if person.pattern == "panel":
        patches = [(1.0, [(-0.13, 0.03), (-0.13, -0.03), (0.11, 0.05), (0.11, -0.05), (0.21, 0.07), (0.21, -0.07)])]
    else:
        turn = np.linspace(0, 2 * np.pi, 9)[:-1]
        patches = [
            (1.0, [(0.11 + 0.05 * np.sin(a), 0.05 * np.cos(a)) for a in turn]),
            (-1.0, [(0.10 + 0.08 * np.sin(a), 0.07 * np.cos(a)) for a in turn]),
        ]
    shapes = []
    for way, corners in patches:
        points = np.stack(
            [local_point(skeleton, "chest", way * deep, up * size, right * size) for up, right in corners], 1
        )
        normals = np.broadcast_to((way * skeleton.frame("chest")[:, :, 0])[:, None], points.shape)
        shapes.append(flat(person.accent, anchor, points, np.zeros(len(corners)), normals))
    return shapes


def _arm(person: Person, skeleton: Skeleton, side: str, size: float) -> list[Shape]:
    g, more, sleeves = size * person.girth, person.outfit.bulk, person.outfit.sleeves
    shoulder, elbow, wrist = (skeleton.at(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist"))
    cloth = person.top
    upper = cloth if sleeves == "long" else person.skin
    thick = more if sleeves == "long" else 0.0
    shapes = [
        limb(shoulder, elbow, 0.055 * g + thick, 0.042 * g + thick, upper),
        limb(elbow, wrist, 0.041 * g + thick, 0.03 * g + thick, upper, after=shoulder),
        limb(wrist, wrist + (wrist - elbow) * 0.32, 0.036 * g, 0.026 * g, person.skin),
    ]
    if sleeves == "short":
        cuff = between(shoulder, elbow, 0.55)
        shapes.insert(
            1, limb(shoulder, cuff, 0.06 * g + more, 0.056 * g + more, cloth, bias=(elbow - shoulder) * 0.225)
        )
    return shapes


def _leg(person: Person, skeleton: Skeleton, side: str, size: float) -> list[Shape]:
    g, more, legs = size * person.girth, person.outfit.bulk, person.outfit.legs
    hip, knee, ankle = (skeleton.at(f"{side}_{joint}") for joint in ("hip", "knee", "ankle"))
    covered = legs == "long"
    colour, thick = (person.bottom, more) if covered else (person.skin, 0.0)
    foot = person.shoes if person.outfit.shoes else person.skin
    shapes = [
        limb(hip, knee, 0.088 * g + thick, 0.058 * g + thick, colour),
        limb(knee, ankle, 0.058 * g + thick, 0.038 * g + thick, colour, after=hip),
        limb(
            local_point(skeleton, f"{side}_ankle", -0.02 * size, -0.03 * size, 0.0),
            local_point(skeleton, f"{side}_ankle", 0.15 * size, -0.045 * size, 0.0),
            *(0.046 * g, 0.032 * g),
            foot,
        ),
    ]
    if legs == "shorts":
        cuff = between(hip, knee, 0.62)
        shapes.insert(1, limb(hip, cuff, 0.094 * g + more, 0.085 * g + more, person.bottom, bias=(knee - hip) * 0.19))
    return shapes


def _skirt(person: Person, skeleton: Skeleton, size: float) -> Shape:
    long = person.outfit.legs == "dress"
    waist = ring(skeleton, "root", 0.08 * size, 0.13 * size, 0.1 * size)
    hem = [
        between(skeleton.at(f"{side}_hip"), skeleton.at(f"{side}_knee"), 0.95 if long else 0.6)
        for side in ("left", "right")
    ]
    points = np.concatenate([waist, np.stack(hem, axis=1)], axis=1)
    middle = (skeleton.at("root") + hem[0] + hem[1]) / 3
    radii = np.array([0.0] * 12 + [0.12 * size if long else 0.105 * size] * 2)
    anchor = between(skeleton.at("root"), middle, 0.3)
    inner = middle[:, None] + 0.75 * (points - middle[:, None])
    return Shape(person.bottom, anchor, Balls(points, radii), Balls(inner, 0.6 * radii, 0.04 * size))


def _head(person: Person, skeleton: Skeleton, size: float) -> tuple[Array, list[Shape]]:
    """Shape neck, skull, hair and face; returns the nose's position (T, 3) too."""

    def at(forward: float, up: float, right: float = 0.0) -> Array:
        return local_point(skeleton, "neck", forward * size, up * size, right * size)

    anchor, r = at(0.0, 0.175), 0.092 * size
    skull, jaw = at(0.0, 0.19), at(0.025, 0.115)
    shade = darker(person.skin, 0.82)
    neck = limb(at(-0.01, -0.02), at(0.0, 0.12), 0.054 * size, 0.048 * size, shade)
    shapes = [neck, ball(person.skin, anchor, np.stack([skull, jaw], 1), np.array([r, 0.062 * size]))]
    if person.hair_style != "bald":
        shapes += _hair(person, at, r, anchor)
        shapes.append(_face(person, skeleton, skull, r, anchor))
    front = skeleton.frame("neck")[:, :, 0]
    for forward, up, right, radius, colour in (
        (0.098, 0.165, 0.0, 0.017, shade),
        (0.082, 0.2, 0.034, 0.009, (30.0, 24.0, 22.0)),
        (0.082, 0.2, -0.034, 0.009, (30.0, 24.0, 22.0)),
        (0.08, 0.118, 0.0, 0.014, darker(person.skin, 0.6)),
    ):
        spot = at(forward, up, right)[:, None]
        outward = (spot - skull[:, None]) / (np.linalg.norm(spot - skull[:, None], axis=-1, keepdims=True))
        facing = outward * 0.6 + front[:, None] * 0.4
        shapes.append(flat(colour, anchor, spot, np.array([radius * size]), facing))
    return at(0.105, 0.165), shapes


def _face(person: Person, skeleton: Skeleton, skull: Array, r: float, anchor: Array) -> Shape:
    """Shape the part of the head that hair leaves free, somewhat below the front."""
    rings = [(0.0, 1)] + [(np.radians(angle), 14) for angle in (35, 66)]
    local = np.array(
        [
            (np.cos(polar), np.sin(polar) * np.cos(turn), np.sin(polar) * np.sin(turn))
            for polar, count in rings
            for turn in np.linspace(0, 2 * np.pi, count + 1)[:-1]
        ]
    )
    tilt = np.radians(-20)
    c, s = np.cos(tilt), np.sin(tilt)
    local = local @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    normals = np.einsum("tij,nj->tni", skeleton.frame("neck"), local)
    points = skull[:, None] + normals * r * 1.03
    return flat(person.skin, anchor, points, np.zeros(len(local)), normals)


def _hair(person: Person, at: Callable[..., Array], r: float, anchor: Array) -> list[Shape]:
    colour, style = person.hair, person.hair_style
    crown = at(-0.008, 0.198)
    shapes = [ball(colour, anchor, crown[:, None], np.array([1.08 * r]))]
    behind = anchor - (at(0.08, 0.175) - anchor)
    if style == "long":
        fall = np.stack([at(-0.03, 0.2), at(-0.075, 0.0)], axis=1)
        shapes.insert(0, ball(colour, behind, fall, np.array([r, 0.85 * r])))
    elif style == "tail":
        tail = np.stack([at(-0.09, 0.24), at(-0.15, 0.08)], axis=1)
        shapes.insert(0, ball(colour, behind, tail, np.array([0.4 * r, 0.25 * r])))
    elif style == "cap":
        corners = ((0.07, 0.235, -0.05), (0.07, 0.235, 0.05), (0.165, 0.22, 0.03), (0.165, 0.22, -0.03))
        brim = np.stack([at(*corner) for corner in corners], axis=1)
        shapes.append(flat(darker(colour, 0.8), at(0.12, 0.21), brim, np.full(4, 0.012 * person.height)))
    return shapes
