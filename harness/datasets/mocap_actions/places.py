"""Kinds of places, each a structure and loosely a palette, and their instances."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from numpy.random import Generator

from harness.datasets.mocap_actions import indoors, outdoors, town
from harness.datasets.mocap_actions.site import Site, clear


@dataclass(frozen=True, slots=True)
class Kind:
    """Recipe of a kind of place."""

    paint: Callable[[Site], None]
    depth: tuple[float, float]
    """Metres from the person to the backdrop, from ... to."""
    shadow: tuple[float, float]
    """Darkness of a shadow, from ... to (1 is black)."""


_ROOM, _YARD, _OPEN = (3.6, 5.5), (5.0, 7.5), (8.5, 12.0)
_LAMP, _SUN = (0.25, 0.45), (0.3, 0.6)

KINDS = {
    "alley": Kind(town.alley, _YARD, _LAMP),
    "beach": Kind(outdoors.beach, _OPEN, _SUN),
    "court": Kind(town.court, _OPEN, _SUN),
    "dojo": Kind(indoors.dojo, _ROOM, _LAMP),
    "forest": Kind(outdoors.forest, _YARD, _LAMP),
    "gym": Kind(indoors.gym, _YARD, _LAMP),
    "kitchen": Kind(indoors.kitchen, _ROOM, _LAMP),
    "living_room": Kind(indoors.living_room, _ROOM, _LAMP),
    "park": Kind(outdoors.park, _OPEN, _SUN),
    "rink": Kind(indoors.rink, _OPEN, _LAMP),
    "rooftop": Kind(town.rooftop, _YARD, _SUN),
    "snow": Kind(outdoors.snow, _OPEN, _SUN),
    "stage": Kind(indoors.stage, _YARD, _LAMP),
    "street": Kind(town.street, _OPEN, _SUN),
    "track": Kind(town.track, _OPEN, _SUN),
}
"""By name; a kind's index in this order is the scene label."""


@dataclass(frozen=True, slots=True)
class Place:
    """One instance of a kind."""

    kind: str
    site: Site
    shadow: float


def place(kind: str, generator: Generator, density: float) -> Place:
    """Make an instance of a kind.

    Args:
        kind: A name in `KINDS`.
        generator: What is drawn is drawn from this.
        density: Pixels that a metre near the person fills in the frame.
    """
    of = KINDS[kind]
    depth = generator.uniform(*of.depth)
    site = clear(generator, depth, depth * generator.uniform(0.45, 0.65), density)
    of.paint(site)
    return Place(kind, site, generator.uniform(*of.shadow))


def at_some_hour(of: Place, generator: Generator) -> Place:
    """Put a place into another light: out of focus, in haze, at some time of day.

    It is darker than the people in it, who would otherwise drown in it for small networks, and its colours change from
    clip to clip, so that a kind of place is recognised by its structure rather than by its mean colour.
    """
    light = generator.uniform(0.3, 0.8) * generator.uniform(0.5, 1.5, 3)
    haze = generator.uniform(10, 110) * generator.uniform(0.3, 1.7, 3)
    thick, blur = generator.uniform(0.35, 0.75), generator.uniform(0.05, 0.14)
    site = of.site
    return replace(
        of,
        site=replace(
            site,
            ground=site.ground.veiled(light, haze, 0.85 * thick, 0.8 * blur),
            backdrop=site.backdrop.veiled(light, haze, thick, blur),
            things=site.things.veiled(light, haze, 0.9 * thick, 0.8 * blur),
        ),
    )
