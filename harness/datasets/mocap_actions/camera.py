"""Perspective cameras that follow, pan, zoom and shake."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.ndimage import gaussian_filter1d

from harness.datasets.mocap_actions.motion import Array

STANDING = 1.7
"""Metres that fill `Shot.share` of the frame's height."""


@dataclass(frozen=True, slots=True)
class Shot:
    """Style in which a group is filmed."""

    azimuth: float
    """Radians from the z axis, from which the camera looks at the scene."""
    distance: float
    """Metres to the person."""
    height: float
    """Metres above the ground."""
    share: float
    """Part of the frame's height that somebody standing fills."""
    follows: bool
    """Follow the person's every step; else keep still, or move evenly if need be."""
    pans: bool
    """Follow by turning, as long as the way is short, rather than by moving along."""
    drift: float
    """Radians by which it wanders sideways."""
    zoom: float
    """Part of the focal length by which it zooms in or out."""
    shake: float
    """Radians by which a hand shakes it."""


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera's state at each of T frames."""

    position: Array
    """(T, 3) metres."""
    axes: Array
    """(T, 3, 3): rows are right, up and forward."""
    focal: Array
    """(T,) pixels."""
    width: int
    height: int

    def project(self, points: Array) -> tuple[Array, Array]:
        """Project world points to image coordinates and depths.

        Args:
            points: (T, ..., 3) metres.

        Returns:
            (T, ..., 2) pixels (x right, y down, (0, 0) the centre of the first pixel), and (T, ...) metres in front
            of the camera.
        """
        middle = (slice(None), *[None] * (points.ndim - 2))
        local = np.einsum("tij,t...j->t...i", self.axes, points - self.position[middle])
        depth = local[..., 2]
        scale = self.focal[middle] / depth
        x = (self.width - 1) / 2 + scale * local[..., 0]
        y = (self.height - 1) / 2 - scale * local[..., 1]
        return np.stack([x, y], axis=-1), depth

    def homography(self, frame: int, plane: Array) -> Array:
        """Map coordinates (u, v, 1) on a plane to homogeneous pixels of a frame, (3, 3).

        Args:
            frame: Which frame.
            plane: (3, 3), columns are the world's directions of u and of v, and the plane's origin.
        """
        local = self.axes[frame] @ (plane - np.outer(self.position[frame], [0.0, 0.0, 1.0]))
        f = self.focal[frame]
        lens = np.array([[f, 0.0, (self.width - 1) / 2], [0.0, -f, (self.height - 1) / 2], [0.0, 0.0, 1.0]])
        return np.asarray(lens @ local)


def shot(generator: Generator) -> Shot:
    """Draw a style at random; in nearly half of the groups the camera stands still."""
    moves = generator.random() < 0.55
    return Shot(
        azimuth=np.radians(generator.uniform(-14, 14)),
        distance=generator.uniform(4.2, 6.5),
        height=generator.uniform(0.9, 2.1),
        share=generator.uniform(0.56, 0.68),
        follows=moves,
        pans=bool(generator.random() < 0.5),
        drift=np.radians(generator.uniform(1.0, 3.5)) * (moves and generator.random() < 0.6),
        zoom=generator.uniform(0.05, 0.13) * (moves and generator.random() < 0.5),
        shake=np.radians(generator.uniform(0.15, 0.5)) * (moves and generator.random() < 0.7),
    )


def film(shot: Shot, path: Array, *, seconds: Array, width: int, height: int, generator: Generator) -> Camera:
    """Film a clip with the group's camera from this clip's viewpoint.

    Args:
        shot: How the group is filmed.
        path: (T, 3) where the person's root is, in metres.
        seconds: (T,) when.
        width: Pixels.
        height: Pixels.
        generator: The clip's randomness.
    """
    frames = len(path)
    step = float(seconds[1] - seconds[0])
    azimuth = shot.azimuth + np.radians(generator.uniform(-10, 10))
    distance = shot.distance * generator.uniform(0.93, 1.07)
    target = _target(shot, path, seconds)
    away = np.array([np.sin(azimuth), 0.0, np.cos(azimuth)]) * distance
    length = np.linalg.norm(np.ptp(target, axis=0))
    along = target if length > 1.5 or not shot.pans else np.broadcast_to(target.mean(0), target.shape)
    position = along + away + np.array([0.0, shot.height + generator.uniform(-0.15, 0.15), 0.0])
    forward = target + np.array([0.0, 0.85 + generator.uniform(-0.06, 0.06), 0.0]) - position
    phase = generator.uniform(0, 2 * np.pi, 3)
    yaw = np.arctan2(forward[:, 0], -forward[:, 2])
    pitch = np.arctan2(forward[:, 1], np.hypot(forward[:, 0], forward[:, 2]))
    yaw += shot.drift * np.sin(2 * np.pi * seconds / 3.1 + phase[0]) + shot.shake * _tremor(generator, frames, step)
    pitch += 0.4 * shot.drift * np.sin(2 * np.pi * seconds / 4.3 + phase[1])
    pitch += shot.shake * _tremor(generator, frames, step)
    roll = 0.7 * shot.shake * _tremor(generator, frames, step)
    zoom = 1 + shot.zoom * np.sin(2 * np.pi * seconds / 5.2 + phase[2])
    focal = shot.share * height * shot.distance / STANDING * zoom
    return Camera(position, _axes(yaw, pitch, roll), focal, width, height)


def _target(shot: Shot, path: Array, seconds: Array) -> Array:
    """Find the points on the ground that the camera looks at, (T, 3)."""
    flat = path * np.array([1.0, 0.0, 1.0])
    if shot.follows:
        return np.asarray(gaussian_filter1d(flat, 0.45 / float(seconds[1] - seconds[0]), axis=0, mode="nearest"))
    middle = (flat.max(0) + flat.min(0)) / 2
    if np.linalg.norm(np.ptp(flat, axis=0)) < 1.0:
        return np.broadcast_to(middle, flat.shape)
    slope, start = np.polyfit(seconds, flat, 1)
    return np.asarray(start + slope * seconds[:, None])


def _tremor(generator: Generator, frames: int, step: float) -> Array:
    """Draw the wobble of a hand, a few times a second: (frames,) of unit variance."""
    noise = generator.standard_normal(frames + 40)
    smooth = gaussian_filter1d(noise, 0.07 / step)
    return np.asarray(smooth[20:-20] / max(float(smooth.std()), 1e-9))


def _axes(yaw: Array, pitch: Array, roll: Array) -> Array:
    """Build right, up and forward (T, 3, 3) of a camera that looks along -z at yaw 0."""
    zero = np.zeros_like(yaw)
    forward = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), -np.cos(yaw) * np.cos(pitch)], axis=-1)
    level = np.stack([np.cos(yaw), zero, np.sin(yaw)], axis=-1)
    above = np.cross(level, forward)
    c, s = np.cos(roll)[:, None], np.sin(roll)[:, None]
    return np.stack([c * level + s * above, c * above - s * level, forward], axis=-2)
