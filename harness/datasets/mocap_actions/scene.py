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
from harness.datasets.mocap_actions.takes import LONG, Take, take

DEEPEST = 2.2  # metres that somebody may go towards the camera and away; a longer way leads across the view


@dataclass(frozen=True, slots=True)
class Scene:
    """Person, performance, place and light that the clips of a group share."""

    group: Group
    motion: Motion
    take: Take | None
    """None: the recording itself is performed."""
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
    recording = motion.load(motion.names()[group.action])
    return Scene(
        group=group,
        motion=recording,
        take=take(recording, stream(seed, Stream.TAKE, *where)) if spec.version > 1 else None,
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
    """Perform the motion, turned as the group is filmed, in the middle of the place."""
    pose = _replayed(of.motion, seconds, generator) if of.take is None else _cut(of.take, seconds, generator)
    pose = _across(motion.turn(pose, of.heading + np.radians(generator.uniform(-15, 15))))
    middle = (pose.root.max(0) + pose.root.min(0)) / 2
    return replace(pose, root=pose.root - middle * np.array([1.0, 0.0, 1.0]))


def _cut(of: Take, seconds: Array, generator: Generator) -> Pose:
    """Cut a clip out of a take, at a random pace and moment."""
    pace = generator.uniform(0.95, 1.05)
    if of.motion.wraps:
        start = generator.uniform(0, LONG)
    else:
        pace, start = _around(of.core(), pace, seconds, generator)
    return of.perform(start + pace * seconds)


def _replayed(recording: Motion, seconds: Array, generator: Generator) -> Pose:
    """Sample the recording itself at a random speed and moment, mirrored or not."""
    speed = generator.uniform(0.85, 1.2)
    if recording.wraps:
        start = generator.uniform(0, recording.seconds)
    else:
        speed, start = _around(motion.CORE[recording.name], speed, seconds, generator)
    pose = motion.sample(recording, start + speed * seconds)
    return motion.mirror(pose) if generator.random() < 0.5 else pose


def _around(core: tuple[float, float], speed: float, seconds: Array, generator: Generator) -> tuple[float, float]:
    """Choose speed and start so that the core lies anywhere within the clip."""
    first, last = core
    span = float(seconds[-1])
    speed = max(speed, (last - first) / (0.95 * span))
    return speed, generator.uniform(last - speed * span, first)


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
