"""Takes: performances of a recording that differ in side, tempo and movement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.random import Generator

from harness.datasets.mocap_actions.clearance import clearance
from harness.datasets.mocap_actions.contact import freedom, keep_contacts
from harness.datasets.mocap_actions.motion import (
    CORE,
    HINGES,
    TURNING,
    Array,
    Motion,
    Pose,
    forward_kinematics,
    load,
    mirror,
    multiply,
    sample,
)

TURN = {"root": 7.0, "chest": 15.0, "neck": 22.0, "hip": 16.0, "ankle": 12.0, "shoulder": 34.0}
"""Degrees by which a take turns a ball joint away from the recording, at most."""
REACH = {"root": 180.0, "chest": 75.0, "neck": 80.0, "hip": 150.0, "ankle": 75.0, "shoulder": 170.0}
"""Degrees from rest to which a take turns, unless the recording goes further."""
BEND = {"knee": 18.0, "elbow": 34.0}
"""Degrees by which a take bends a hinge more or less than the recording, at most."""
BENT = {"knee": (-150.0, -2.0), "elbow": (2.0, 145.0)}
"""Degrees between which a take keeps a hinge, unless the recording goes further."""
SHIFT = ((-0.03, 0.03), (-0.05, 0.0), (-0.03, 0.03))
"""Metres by which the hips leave their path, by axis.

They never rise, for legs may be straight.
"""
WAVES = np.array([[0.0, 0.55], [0.2, 0.25], [0.6, 0.2]])
"""Hertz and share of posture, drift and movement, the parts of every change."""
TEMPO = (0.82, 1.22)
"""Slowest and fastest mean speed, in that of the recording."""
RUBATO = np.array([[0.22, 0.1], [0.47, 0.08]])
"""Hertz of changes of tempo within a take, and their share of the tempo, at most."""
LONG = 16.0
"""Seconds of a take of a motion that repeats."""
TOLERANCE, TRIES = 0.02, 40
"""Metres of overlap of limbs that pass, and takes that are drawn at most."""


@dataclass(frozen=True, slots=True)
class Take:
    """One performance of a recording, a function of its own time."""

    motion: Motion
    mirrored: bool
    tempo: float
    """Seconds of the recording in one of the take, on average."""
    rubato: Array
    """(2, 2) share of the tempo, and phase in radians, of each of `RUBATO`."""
    phases: Array
    """(14, 3, 3) radians: joints as in `TURNING` and the hips' path, axes, `WAVES`."""

    def recorded(self, seconds: Array) -> Array:
        """Map the take's time (T,) to the recording's, rising, 0 to 0."""
        turn = 2 * np.pi * RUBATO[:, 0]
        share, phase = self.rubato.T
        ahead = share * (np.sin(turn * seconds[:, None] + phase) - np.sin(phase)) / turn
        return np.asarray(self.tempo * (seconds + ahead.sum(-1)))

    def core(self) -> tuple[float, float]:
        """Seconds of the take that must be seen of a motion that plays once: from and to."""
        grid = np.linspace(0.0, 2 * self.motion.seconds, 1000)
        first, last = np.interp(CORE[self.motion.name], self.recorded(grid), grid)
        return float(first), float(last)

    def perform(self, seconds: Array) -> Pose:
        """Pose at any times (T,) of the take.

        What touches the ground stays where the recording has it, so that hands and feet slide no more than there.
        """
        recorded = sample(self.motion, self.recorded(seconds))
        free = freedom(recorded)
        pose = keep_contacts(self._varied(recorded, seconds, free), recorded, free)
        return mirror(pose) if self.mirrored else pose

    def _varied(self, recorded: Pose, seconds: Array, free: dict[str, Array]) -> Pose:
        """Change joints and path within human limits, as far as they are free."""
        waves = np.sin(2 * np.pi * WAVES[:, 0] * seconds[:, None, None, None] + self.phases) @ WAVES[:, 1]
        rotations = recorded.rotations.copy()
        for index, joint in enumerate(TURNING):
            part, change = joint.split("_")[-1], waves[:, index]
            if joint in HINGES:
                rotations[:, index] = _bent(rotations[:, index], change[:, 0] * free[joint], part)
            else:
                rotations[:, index] = _turned(rotations[:, index], change * free[joint][:, None], part)
        low, high = np.array(SHIFT).T
        shift = low + (high - low) * (1 + waves[:, -1]) / 2
        return Pose(recorded.root + shift * free["root"][:, None], rotations)


def _turned(rotations: Array, change: Array, part: str) -> Array:
    """Turn a ball joint (T, 4) by a change (T, 3) in -1...1, less so near its limit."""
    most, reach = np.radians(TURN[part]), np.radians(REACH[part])
    angle = 2 * np.arccos(np.clip(np.abs(rotations[:, 0]), 0.0, 1.0))
    vector = change / np.sqrt(3) * most * np.clip((reach - angle) / most, 0.0, 1.0)[:, None]
    half = np.linalg.norm(vector, axis=-1, keepdims=True) / 2
    turn = np.concatenate([np.cos(half), vector / 2 * np.sinc(half / np.pi)], axis=-1)
    return multiply(rotations, turn)


def _bent(rotations: Array, change: Array, part: str) -> Array:
    """Bend a hinge (T, 4) by a change (T,) in -1...1."""
    low, high = np.radians(BENT[part])
    angle = 2 * np.arctan2(rotations[:, 3], rotations[:, 0])
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    bent = np.clip(angle + np.radians(BEND[part]) * change, np.minimum(low, angle), np.maximum(high, angle))
    zero = np.zeros_like(bent)
    return np.stack([np.cos(bent / 2), zero, zero, np.sin(bent / 2)], axis=-1)


def take(motion: Motion, generator: Generator) -> Take:
    """Draw a take at random, whose limbs overlap no more than in the recording."""
    drawn = [_drawn(motion, generator)]
    while _overlap(drawn[-1]) > TOLERANCE and len(drawn) < TRIES:
        drawn.append(_drawn(motion, generator))
    return drawn[-1] if len(drawn) < TRIES else min(drawn, key=_overlap)


def _drawn(motion: Motion, generator: Generator) -> Take:
    mirrored = bool(generator.random() < 0.5)
    share = RUBATO[:, 1] * generator.uniform(0.5, 1.0, len(RUBATO))
    return Take(
        motion=motion,
        mirrored=mirrored,
        tempo=generator.uniform(*TEMPO),
        rubato=np.stack([share, generator.uniform(0, 2 * np.pi, len(RUBATO))], axis=-1),
        phases=generator.uniform(0, 2 * np.pi, (len(TURNING) + 1, 3, len(WAVES))),
    )


def _overlap(of: Take) -> float:
    """Measure how much nearer limbs come than in the recording, in metres."""
    seconds = np.linspace(0.0, LONG if of.motion.wraps else 1.5 * of.motion.seconds, 80)
    return float((_recorded_clearance(of.motion.name) - clearance(forward_kinematics(of.perform(seconds)))).max())  # type: ignore[call-overload, unused-ignore]  # NumPy 2.5


@lru_cache
def _recorded_clearance(name: str) -> Array:
    recording = load(name)
    times = np.linspace(0.0, recording.seconds, 40)
    return clearance(forward_kinematics(sample(recording, times)))
