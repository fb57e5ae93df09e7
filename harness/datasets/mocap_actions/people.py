"""People: proportions, skin, hair, and clothes of several kinds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.random import Generator

from harness.datasets.mocap_actions.motion import INDEX, OFFSETS, Array
from harness.datasets.mocap_actions.plate import Colour, darker, mixed, tone

Sleeves = Literal["none", "short", "long"]
Legs = Literal["bare", "shorts", "long", "skirt", "dress"]
Pattern = Literal["plain", "stripes", "panel", "badge"]
Hair = Literal["short", "long", "tail", "bald", "cap"]
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Outfit:
    """Kind of clothes, with ranges of its colours: hue in turns, saturation, value."""

    sleeves: Sleeves
    legs: Legs
    top: tuple[Span, Span, Span]
    bottom: tuple[Span, Span, Span] | None
    """None: of the same cloth as the top."""
    patterns: tuple[Pattern, ...] = ("plain",)
    shoes: bool = True
    bulk: float = 0.0
    """Metres of cloth around the body."""


_ANY, _BLUE = (0.0, 1.0), (0.56, 0.66)
_STRONG, _SOME, _PALE = (0.3, 0.5), (0.1, 0.4), (0.0, 0.1)
_BRIGHT, _DARK, _MIDDLE = (0.88, 1.0), (0.7, 0.82), (0.8, 0.97)

OUTFITS = {
    "basketball": Outfit("none", "shorts", (_ANY, _STRONG, _BRIGHT), None, ("badge", "panel"), bulk=0.012),
    "dress": Outfit("short", "dress", (_ANY, _STRONG, _MIDDLE), None, ("plain", "stripes")),
    "gi": Outfit("long", "long", (_ANY, _PALE, _BRIGHT), None, ("panel",), shoes=False, bulk=0.022),
    "hoodie": Outfit("long", "long", (_ANY, _SOME, _MIDDLE), (_BLUE, _SOME, _DARK), ("badge",), bulk=0.02),
    "jeans": Outfit("short", "long", (_ANY, _SOME, _BRIGHT), (_BLUE, _STRONG, _DARK), ("plain", "badge")),
    "leotard": Outfit("long", "bare", (_ANY, _STRONG, _MIDDLE), None, ("panel", "plain"), shoes=False),
    "overall": Outfit("long", "long", ((0.05, 0.65), _SOME, _DARK), None, ("plain", "panel"), bulk=0.015),
    "parka": Outfit("long", "long", (_ANY, _STRONG, _MIDDLE), (_ANY, _SOME, _DARK), ("panel", "plain"), bulk=0.035),
    "pyjamas": Outfit("long", "long", (_ANY, _SOME, _BRIGHT), None, ("stripes",), shoes=False, bulk=0.015),
    "running": Outfit("none", "shorts", (_ANY, _STRONG, _BRIGHT), (_ANY, _SOME, _DARK), ("plain", "badge")),
    "skating": Outfit("long", "skirt", (_ANY, _STRONG, _MIDDLE), None, ("plain", "badge")),
    "skirt": Outfit("short", "skirt", (_ANY, _PALE, _BRIGHT), (_ANY, _STRONG, _MIDDLE), ("plain", "stripes")),
    "suit": Outfit("long", "long", (_ANY, _PALE, _DARK), None, ("panel",)),
    "swimming": Outfit("none", "bare", (_ANY, _STRONG, _BRIGHT), None, ("plain", "stripes"), shoes=False),
    "tracksuit": Outfit("long", "long", (_ANY, _STRONG, _MIDDLE), None, ("panel", "stripes"), bulk=0.015),
}
"""Kinds of clothes, by name."""


@dataclass(frozen=True, slots=True)
class Person:
    """A body and its clothes. Colours are in 0...255, lengths are in metres."""

    offsets: Array
    """(18, 3) offsets of the joints from their parents."""
    height: float
    """Relative to the recorded person."""
    girth: float
    """Thickness of limbs and trunk, relative to the height."""
    shoulders: float
    """Width of the upper trunk, relative to the height."""
    hips: float
    """Width of the lower trunk, relative to the height."""
    head: float
    """Size of the head, relative to the recorded height."""
    stride: float
    """Length of the root's path, relative to the recorded person."""
    skin: Colour
    hair_style: Hair
    hair: Colour
    outfit: Outfit
    pattern: Pattern
    top: Colour
    bottom: Colour
    accent: Colour
    shoes: Colour


def person(outfit: str, generator: Generator) -> Person:
    """Draw a person at random, in clothes of a kind.

    Args:
        outfit: A name in `OUTFITS`.
        generator: What is drawn is drawn from this.
    """
    kind = OUTFITS[outfit]
    height = generator.uniform(0.98, 1.16)
    legs, arms = generator.uniform(0.95, 1.06), generator.uniform(0.94, 1.06)
    shoulders, hips = generator.uniform(0.88, 1.12), generator.uniform(0.9, 1.15)
    scale = np.full(OFFSETS.shape, height)
    for side in ("left", "right"):
        for joint, factor in (("knee", legs), ("ankle", legs), ("elbow", arms), ("wrist", arms)):
            scale[INDEX[f"{side}_{joint}"]] *= factor
        scale[INDEX[f"{side}_shoulder"], 2] *= shoulders * 0.9  # the recorded model's arms stand off its chest
        scale[INDEX[f"{side}_hip"], 2] *= hips
    top = tone(generator, *kind.top)
    bottom = tone(generator, *kind.bottom) if kind.bottom else top
    accent = tone(generator, _ANY, (0.2, 0.7), (0.7, 1.0))
    if abs(sum(accent) - sum(top)) < 120:
        accent = darker(top, 0.6) if sum(top) > 480 else mixed(top, (255.0, 255.0, 255.0), 0.75)
    skin = mixed((242.0, 205.0, 178.0), (158.0, 112.0, 86.0), generator.random())
    blond, red, dark = (215.0, 180.0, 110.0), (150.0, 75.0, 35.0), (38.0, 28.0, 24.0)
    hair = [dark, dark, mixed(dark, red, 0.5), red, blond, (165.0, 162.0, 160.0)][generator.integers(6)]
    style: Hair = ("short", "short", "long", "tail", "bald", "cap")[generator.integers(6)]
    return Person(
        offsets=OFFSETS * scale,
        height=height,
        girth=generator.uniform(0.88, 1.2),
        shoulders=shoulders,
        hips=hips,
        head=generator.uniform(0.98, 1.1),
        stride=height * legs,
        skin=skin,
        hair_style=style,
        hair=darker(hair, generator.uniform(0.85, 1.15)) if style != "cap" else tone(generator, _ANY, _STRONG, _MIDDLE),
        outfit=kind,
        pattern=kind.patterns[generator.integers(len(kind.patterns))],
        top=top,
        bottom=bottom,
        accent=accent,
        shoes=tone(generator, _ANY, (0.0, 0.5), (0.6, 1.0)),
    )
