"""Drawing of a clip: place, shadow and person in every frame, and the joints."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from harness.datasets.mocap_actions.body import Body
from harness.datasets.mocap_actions.camera import Camera
from harness.datasets.mocap_actions.motion import INDEX, PARENTS, Array
from harness.datasets.mocap_actions.places import Place
from harness.datasets.mocap_actions.plate import SHIFT
from harness.datasets.mocap_actions.sensor import Image, Sensor
from harness.datasets.mocap_actions.shapes import Shape

ROUND = 10  # corners of a ball's outline
Points = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Clip:
    """A drawn clip."""

    frames: Image
    """(T, H, W, 3) RGB."""
    joints: npt.NDArray[np.float32]
    """(T, 9, 2) pixels (x, y), in FLIC's order."""
    visible: npt.NDArray[np.bool_]
    """(T, 9), true for a joint inside the image."""


@dataclass(frozen=True, slots=True)
class Brush:
    """A shape's outlines, in pixels."""

    shade: Points | None
    """(T, m, 2) points in sixteenths of a pixel, whose hull is painted."""
    light: Points | None
    """(T, k, 2), painted over it."""
    shown: npt.NDArray[np.bool_] | None
    """(T, m), true for points of `shade` that face the camera; None: all."""
    dark: tuple[float, ...]
    bright: tuple[float, ...]
    """Colours of the two."""


def draw(body: Body, place: Place, camera: Camera, sensor: Sensor, sun: Array) -> Clip:
    """Draw T frames.

    Args:
        body: The person, in T poses.
        place: Where.
        camera: Filming T frames.
        sensor: Recording T frames.
        sun: (3,) unit vector towards the light; it comes from above.
    """
    brushes, order = _brushes(body, camera, sun)
    shadows = _shadows(body, camera, sun)
    frames = np.empty((len(camera.focal), camera.height, camera.width, 3), np.uint8)
    for index in range(len(frames)):
        image = _scenery(place, camera, index)
        image = _darken(image, shadows[index], place.shadow)
        for number in order[index]:
            _paint(image, brushes[number], index)
        frames[index] = sensor.expose(index, image)
    joints, _ = camera.project(body.joints)
    inside = (joints >= 0) & (joints <= np.array([camera.width - 1, camera.height - 1]))
    return Clip(frames, joints.astype(np.float32), np.asarray(inside.all(-1)))


def _scenery(place: Place, camera: Camera, frame: int) -> Image:
    """Draw the place without anybody, (H, W, 3)."""
    site, size = place.site, (camera.width, camera.height)
    ground, backdrop, things = (
        camera.homography(frame, plane) @ plate.to_metres
        for plane, plate in zip(site.planes(), (site.ground, site.backdrop, site.things), strict=True)
    )
    image = cv2.warpPerspective(site.backdrop.pixels, backdrop, size, borderMode=cv2.BORDER_REFLECT)
    cv2.warpPerspective(site.ground.pixels, ground, size, dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    front = cv2.warpPerspective(site.things.pixels, things, size)
    clear = cv2.merge([255 - front[..., 3]] * 3)
    return np.asarray(cv2.add(cv2.multiply(image, clear, scale=1 / 255), front[..., :3]), dtype=np.uint8)


def _darken(image: Image, outlines: list[Points], strength: float) -> Image:
    """Multiply a soft shadow into an image."""
    height, width = image.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(mask, cv2.convexHull(outline), 255, cv2.LINE_AA, SHIFT)
    soft = cv2.GaussianBlur(mask, (0, 0), 0.012 * height + 0.4)
    kept = cv2.convertScaleAbs(soft, alpha=-strength, beta=255.0)
    return np.asarray(cv2.multiply(image, cv2.merge([kept] * 3), scale=1 / 255), dtype=np.uint8)


def _paint(image: Image, brush: Brush, frame: int) -> None:
    if brush.shade is not None:
        points = brush.shade[frame]
        if brush.shown is not None:
            points = points[brush.shown[frame]]
        if len(points) > 2:
            cv2.fillConvexPoly(image, cv2.convexHull(points), brush.dark, cv2.LINE_AA, SHIFT)
    if brush.light is not None:
        cv2.fillConvexPoly(image, cv2.convexHull(brush.light[frame]), brush.bright, cv2.LINE_AA, SHIFT)


def _brushes(body: Body, camera: Camera, sun: Array) -> tuple[list[Brush], npt.NDArray[np.int64]]:
    """Outline all shapes, and order them for each frame (T, n), the farthest first."""
    brushes = [_brush(shape, camera, sun) for shape in body.shapes]
    _, depth = camera.project(np.stack([shape.anchor for shape in body.shapes], axis=1))
    return brushes, np.argsort(-depth, axis=1, kind="stable")


def _brush(shape: Shape, camera: Camera, sun: Array) -> Brush:
    shade = light = shown = None
    if shape.shade is not None:
        shade = _outline(shape.shade.centres, shape.shade.radii, camera)
    if shape.light is not None:
        light = _outline(shape.light.centres + sun * shape.light.lean, shape.light.radii, camera)
    if shape.shade is not None and shape.normals is not None:
        towards = camera.position[:, None] - shape.shade.centres
        shown = (shape.normals * towards).sum(-1) > 0.05 * np.linalg.norm(towards, axis=-1)
        if shape.shade.radii.any():
            shown = np.repeat(shown, ROUND, axis=1)
    colour = np.array(shape.colour)
    dark = colour if shape.flat else 0.66 * colour
    bright = np.minimum(1.06 * colour + 4.0, 255.0)
    return Brush(shade, light, shown, tuple(np.round(dark).tolist()), tuple(np.round(bright).tolist()))


def _outline(centres: Array, radii: Array, camera: Camera) -> Points:
    """Outline balls in fixed-point pixels (T, m, 2); one without size is one point."""
    pixels, depth = camera.project(centres)
    if radii.any():
        turn = 2 * np.pi * np.arange(ROUND) / ROUND
        circle = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        size = (camera.focal[:, None] * radii / depth)[..., None, None]
        pixels = (pixels[:, :, None] + size * circle).reshape(len(centres), -1, 2)
    return np.round(pixels * (1 << SHIFT)).astype(np.int32)


def _shadows(body: Body, camera: Camera, sun: Array) -> list[list[Points]]:
    """Outline the shadows of limbs and trunk on the ground, for each frame."""
    positions = body.skeleton.positions
    bones = [np.stack([positions[:, PARENTS[j]], positions[:, j]], 1) for j in range(1, positions.shape[1])]
    trunk = [INDEX[f"{side}_{joint}"] for side in ("left", "right") for joint in ("shoulder", "hip")]
    outlines = []
    for points, radius in [*((bone, 0.045) for bone in bones), (positions[:, trunk], 0.06)]:
        thrown = points - sun * (points[..., 1:2] / sun[1])
        outlines.append(_outline(thrown, np.full(points.shape[1], radius), camera))
    return [[outline[frame] for outline in outlines] for frame in range(len(positions))]
