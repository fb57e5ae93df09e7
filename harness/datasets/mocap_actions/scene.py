"""Scene of a group, and its clips: person, place, camera, speed and moment."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator

from harness.datasets.mocap_actions import motion
from harness.datasets.mocap_actions.body import body, stand
from harness.datasets.mocap_actions.camera import Shot, film, shot
from harness.datasets.mocap_actions.draw import Clip, draw
from harness.datasets.mocap_actions.motion import Array, Motion, Pose
from harness.datasets.mocap_actions.people import Person, person
from harness.datasets.mocap_actions.places import Place, at_some_hour, place
from harness.datasets.mocap_actions.plan import Group, Spec, Stream, stream
from harness.datasets.mocap_actions.sensor import sensor

DEEPEST = 2.2  # metres that somebody may go towards the camera and away; a longer way leads across the view


@dataclass(frozen=True, slots=True)
class Scene:
    """Person, place, motion and light that the clips of a group share."""

    group: Group
    motion: Motion
    place: Place
    person: Person
    shot: Shot
    heading: float
    """Radians by which the recording is turned."""
    sun: Array
    """(3,) unit vector towards the light."""


def scene(group: Group, spec: Spec, seed: int) -> Scene:
    """Build the scene of a group."""
    where = (group.action, group.number)
    generator = stream(seed, Stream.SHOT, *where)
    side, high = generator.uniform(0, 2 * np.pi), generator.uniform(np.radians(35), np.radians(70))
    return Scene(
        group=group,
        motion=motion.load(motion.names()[group.action]),
        place=place(group.kind, stream(seed, Stream.PLACE, *where), 0.36 * spec.height),
        person=person(group.outfit, stream(seed, Stream.PERSON, *where)),
        shot=shot(generator),
        heading=np.radians(generator.uniform(-40, 40)) + np.pi * generator.integers(2),
        sun=np.array([np.cos(high) * np.cos(side), np.sin(high), np.cos(high) * np.sin(side)]),
    )


def clip(of: Scene, number: int, spec: Spec, seed: int) -> Clip:
    """Draw a clip (from 1) of a scene."""
    generator = stream(seed, Stream.CLIP, of.group.action, of.group.number, number)
    seconds = np.arange(spec.frames) / spec.fps
    pose = _performed(of, seconds, generator)
    pose = replace(pose, root=pose.root * of.person.stride)
    skeleton = stand(motion.forward_kinematics(pose, of.person.offsets))
    camera = film(
        of.shot, skeleton.at("root"), seconds=seconds, width=spec.width, height=spec.height, generator=generator
    )
    recorder = sensor(generator, seconds=seconds, width=spec.width, height=spec.height)
    return draw(body(of.person, skeleton), at_some_hour(of.place, generator), camera, recorder, of.sun)


def _performed(of: Scene, seconds: Array, generator: Generator) -> Pose:
    """Sample the motion at a random speed and moment, mirrored or not."""
    speed = generator.uniform(0.85, 1.2)
    if of.motion.wraps:
        start = generator.uniform(0, of.motion.seconds)
    else:  # what must be seen comes to lie anywhere within the clip
        first, last = motion.CORE[of.motion.name]
        span = float(seconds[-1])
        speed = max(speed, (last - first) / (0.95 * span))
        start = generator.uniform(last - speed * span, first)
    pose = motion.sample(of.motion, start + speed * seconds)
    if generator.random() < 0.5:
        pose = motion.mirror(pose)
    pose = _across(motion.turn(pose, of.heading + np.radians(generator.uniform(-15, 15))))
    middle = (pose.root.max(0) + pose.root.min(0)) / 2
    return replace(pose, root=pose.root - middle * np.array([1.0, 0.0, 1.0]))


def _across(pose: Pose) -> Pose:
    """Turn somebody who goes far to run across the view, so that the place is enough."""
    way = (pose.root[-1] - pose.root[0])[[0, 2]]
    far = float(np.hypot(*way))
    if far <= DEEPEST:
        return pose
    course = float(np.arctan2(-way[1], way[0]))
    nearest = 0.0 if abs(course) < np.pi / 2 else np.copysign(np.pi, course)
    kept = nearest + (course - nearest) * np.arcsin(DEEPEST / far) / (np.pi / 2)
    return motion.turn(pose, float(kept) - course)
