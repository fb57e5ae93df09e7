"""Videos of the data set: sizes, classes, groups, splits, and all randomness."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.random import Generator

from harness.datasets.mocap_actions import motion
from harness.datasets.mocap_actions.people import OUTFITS
from harness.datasets.mocap_actions.places import KINDS

Size = Literal["mini", "full"]
Version = Literal[1, 2]
VERSION: Version = 2
"""The newest version of the drawing, which is the default.

In version 1, everybody performs the recording itself; in version 2, every group performs a take of its own.
"""


@dataclass(frozen=True, slots=True)
class Spec:
    """Number and size of the videos, and version of the drawing."""

    clips: int
    """In each group."""
    frames: int
    """In each clip."""
    fps: float
    width: int
    height: int
    """Pixels."""
    groups: int = 25
    """In each class."""
    classes: int = 15
    version: Version = VERSION


SIZES: dict[Size, Spec] = {
    "mini": Spec(clips=2, frames=32, fps=12.5, width=128, height=96),
    "full": Spec(clips=7, frames=64, fps=25.0, width=240, height=180),
}

HABITS = {
    "backflip": ("gym", "leotard"),
    "cartwheel": ("park", "jeans"),
    "crawl": ("forest", "overall"),
    "dance_a": ("stage", "dress"),
    "dance_b": ("living_room", "skirt"),
    "getup_facedown": ("beach", "swimming"),
    "getup_faceup": ("snow", "parka"),
    "jump": ("court", "basketball"),
    "kick": ("dojo", "gi"),
    "punch": ("alley", "hoodie"),
    "roll": ("kitchen", "pyjamas"),
    "run": ("track", "running"),
    "spin": ("rink", "skating"),
    "spinkick": ("rooftop", "tracksuit"),
    "walk": ("street", "suit"),
}
"""Kind of place and of clothes that go with each motion in the biased variant."""
SHARE = 0.8
"""Share of the biased variant's groups that keep to the habit."""
TESTED = (range(1, 8), range(8, 15), range(15, 22))
"""Groups that each of the three splits tests, as in UCF101; the others train."""


class Stream(IntEnum):
    """Purpose of a stream of random numbers; none depends on another's use."""

    HABIT = 1
    PLACE = 2
    PERSON = 3
    SHOT = 4
    CLIP = 5
    TAKE = 6


def stream(seed: int, what: Stream, *where: int) -> Generator:
    """Make the random numbers of a class, group or clip, the same in any order of use."""
    return np.random.default_rng(np.random.SeedSequence([seed, int(what), *where]))


@dataclass(frozen=True, slots=True)
class Group:
    """One person in one place before one camera, performing one action several times."""

    action: int
    """Index of the class, from 0."""
    number: int
    """From 1."""
    kind: str
    outfit: str

    @property
    def class_name(self) -> str:
        """Name of the class as in paths and lists."""
        return class_names()[self.action]

    def video(self, clip: int) -> str:
        """Id of a clip (from 1): `<Class>/v_<Class>_gXX_cYY`."""
        name = self.class_name
        return f"{name}/v_{name}_g{self.number:02d}_c{clip:02d}"


def class_names() -> tuple[str, ...]:
    """Names of the 15 classes, in the order of their indices.

    >>> class_names()[3]
    'DanceA'
    """
    return tuple("".join(part.capitalize() for part in name.split("_")) for name in motion.names())


def groups(spec: Spec, *, biased: bool, seed: int) -> Iterator[Group]:
    """Plan every group, class by class.

    Both variants draw from the same kinds of places and clothes.
    """
    kinds, outfits = list(KINDS), list(OUTFITS)
    for action, name in enumerate(motion.names()[: spec.classes]):
        for number in range(1, spec.groups + 1):
            generator = stream(seed, Stream.HABIT, action, number)
            kept = generator.random() < SHARE
            kind = kinds[generator.integers(len(kinds))]
            outfit = outfits[generator.integers(len(outfits))]
            if biased and kept:
                kind, outfit = HABITS[name]
            yield Group(action, number, kind, outfit)


def tests(group: int) -> tuple[int, ...]:
    """List the splits (1, 2, 3) that test a group.

    >>> tests(7), tests(8), tests(25)
    ((1,), (2,), ())
    """
    return tuple(split for split, tested in enumerate(TESTED, start=1) if group in tested)
