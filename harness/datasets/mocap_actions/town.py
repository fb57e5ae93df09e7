"""Painters of the kinds of places in town, under the sky."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from harness.datasets.mocap_actions.outdoors import WHITE, sky
from harness.datasets.mocap_actions.plate import Colour, Plate, darker, mixed, tone
from harness.datasets.mocap_actions.site import Site


def court(site: Site) -> None:
    """Paint a court: a field with white lines behind a wire fence; hoops on posts."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    sky(site, 2.0)
    for u in site.spread(2.8):
        house = tone(rng, (0.0, 1.0), (0.05, 0.4), (0.45, 0.85))
        back.box(u - 1.3, 0.0, u + 1.3, rng.uniform(2.5, 4.5), house)
    wire = tone(rng, (0.3, 0.6), (0.0, 0.5), (0.3, 0.75))
    for u in np.arange(-site.half - 4, site.half, 0.5):
        back.line(u, 0.0, u + 3.5, 3.5, 0.05, wire)
        back.line(u + 3.5, 0.0, u, 3.5, 0.05, wire)
    for u in np.arange(-site.half, site.half, 2.5):
        back.line(u, 0.0, u, 3.6, 0.12, darker(wire, 0.6))
    back.line(-site.half, 3.5, site.half, 3.5, 0.12, darker(wire, 0.6))
    field = tone(rng, (0.0, 1.0), (0.35, 0.75), (0.4, 0.75))
    back.box(-site.half, -0.6, site.half, 0.1, darker(field, 0.8))
    floor.fill(tone(rng, (0.0, 1.0), (0.3, 0.7), (0.35, 0.7)))
    floor.box(-7.0, -3.5, 7.0, 5.0, field)
    floor.mottle(rng, 0.4, 0.1)
    shift = rng.uniform(-3, 3)
    for u0, v0, u1, v1 in (
        (-7, -3.5, 7, -3.5),
        (-7, 5, 7, 5),
        (-7, -3.5, -7, 5),
        (7, -3.5, 7, 5),
        (shift, -3.5, shift, 5),
    ):
        floor.line(u0, v0, u1, v1, 0.12, WHITE)
    floor.disc(shift, 0.7, 1.8, WHITE)
    floor.disc(shift, 0.7, 1.65, darker(field, 1.15))
    for u in site.spread(6.0):
        things.line(u, 0.0, u, 3.0, 0.16, (70, 72, 78))
        things.box(u - 0.8, 2.7, u + 0.8, 3.7, WHITE)
        things.box(u - 0.32, 2.85, u + 0.32, 3.3, (200, 60, 50))
        things.box(u - 0.24, 2.92, u + 0.24, 3.22, WHITE)
        things.line(u - 0.3, 2.75, u + 0.3, 2.75, 0.1, (235, 110, 40))


def alley(site: Site) -> None:
    """Paint an alley: brick, rolling doors, scrawls, cracked asphalt; bins and crates."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    brick = tone(rng, (0.98, 1.1), (0.25, 0.65), (0.3, 0.65))
    back.fill(brick)
    for row, v in enumerate(np.arange(0.0, back.top, 0.24)):
        back.line(-site.half, v, site.half, v, 0.05, darker(brick, 1.45))
        for u in np.arange(-site.half + 0.3 * (row % 2), site.half, 0.6):
            if rng.random() < 0.5:
                back.box(u, v + 0.04, u + 0.55, v + 0.22, darker(brick, rng.uniform(0.7, 1.25)))
    for u in site.spread(4.0):
        what = rng.integers(3)
        if what == 0:  # a rolling door
            steel = tone(rng, (0.0, 1.0), (0.0, 0.4), (0.35, 0.7))
            back.box(u - 1.2, 0.0, u + 1.2, 2.5, steel)
            for v in np.arange(0.15, 2.5, 0.22):
                back.line(u - 1.2, v, u + 1.2, v, 0.06, darker(steel, 0.65))
        elif what == 1:  # scrawls
            paint = tone(rng, (0.0, 1.0), (0.6, 1.0), (0.6, 1.0))
            knots = np.stack([u + np.linspace(-1.2, 1.2, 7), rng.uniform(0.6, 1.9, 7)], axis=-1)
            for (u0, v0), (u1, v1) in pairwise(knots):
                back.line(u0, v0, u1, v1, 0.16, paint)
        else:
            back.box(u - 0.6, 1.9, u + 0.6, 3.1, (40, 44, 52))
            back.line(u + 1.2, 0.0, u + 1.2, back.top, 0.12, (70, 74, 76))
    back.box(-site.half, -0.6, site.half, 0.12, (55, 55, 56))
    floor.fill(tone(rng, (0.5, 0.75), (0.0, 0.12), (0.25, 0.45)))
    floor.mottle(rng, 0.8, 0.5, octaves=3)
    for _ in range(12):
        u, v = rng.uniform(-8, 8), rng.uniform(-4, site.depth)
        floor.line(u, v, u + rng.uniform(-1.5, 1.5), v + rng.uniform(-1, 1), 0.05, (35, 35, 36))
    for u in site.spread(3.4):
        if rng.random() < 0.5:  # a bin
            metal = tone(rng, (0.2, 0.65), (0.1, 0.6), (0.25, 0.6))
            things.polygon([(u - 0.5, 0), (u + 0.5, 0), (u + 0.6, 1.1), (u - 0.6, 1.1)], metal)
            things.polygon([(u - 0.65, 1.1), (u + 0.65, 1.1), (u + 0.5, 1.3), (u - 0.5, 1.3)], darker(metal, 0.7))
        else:  # crates
            for box in range(int(rng.integers(1, 4))):
                wood = tone(rng, (0.06, 0.11), (0.3, 0.6), (0.4, 0.7))
                things.box(u - 0.4, 0.55 * box, u + 0.4, 0.55 * box + 0.5, wood)
                things.line(u - 0.38, 0.55 * box + 0.04, u + 0.38, 0.55 * box + 0.46, 0.07, darker(wood, 0.6))


def rooftop(site: Site) -> None:
    """Paint a rooftop: towers with lit windows, a parapet; ducts and aerials."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    high = tone(rng, (0.58, 0.85), (0.2, 0.6), (0.25, 0.8))
    low = tone(rng, (0.93, 1.12), (0.2, 0.65), (0.75, 1.0))
    back.fill(low)
    back.gradient(0.5, back.top, low, high)
    for gap, tall, shade in ((1.6, 0.85, 0.8), (2.3, 0.55, 0.5)):
        for u in site.spread(gap):
            wide, top = gap * rng.uniform(0.3, 0.5), back.top * tall * rng.uniform(0.5, 1.0)
            wall = darker(mixed(high, tone(rng, (0.5, 0.75), (0.1, 0.4), (0.2, 0.6)), 0.6), shade)
            back.box(u - wide, -0.6, u + wide, top, wall)
            lit = tone(rng, (0.1, 0.16), (0.2, 0.6), (0.8, 1.0))
            for v in np.arange(0.9, top - 0.3, 0.42):
                for column in np.arange(-wide + 0.15, wide - 0.2, 0.38):
                    if rng.random() < 0.55:
                        back.box(u + column, v, u + column + 0.18, v + 0.22, lit)
    concrete = tone(rng, (0.0, 1.0), (0.0, 0.15), (0.45, 0.75))
    back.box(-site.half, -0.6, site.half, 0.9, darker(concrete, 0.8))
    back.box(-site.half, 0.82, site.half, 0.98, darker(concrete, 1.2))
    floor.fill(concrete)
    floor.mottle(rng, 0.9, 0.3, octaves=3)
    for u in np.arange(-site.half, site.half, 2.2):
        floor.line(u, -4.5, u, site.depth, 0.06, darker(concrete, 0.6))
    for v in np.arange(-4.5, site.depth, 2.2):
        floor.line(-site.half, v, site.half, v, 0.06, darker(concrete, 0.6))
    for u in site.spread(4.0):
        if rng.random() < 0.6:  # a duct
            metal = tone(rng, (0.5, 0.65), (0.0, 0.15), (0.55, 0.85))
            things.box(u - 0.8, 0.1, u + 0.8, 1.0, metal)
            for slat in np.arange(-0.65, 0.1, 0.18):
                things.line(u + slat, 0.25, u + slat, 0.85, 0.06, darker(metal, 0.5))
            things.disc(u + 0.42, 0.55, 0.28, darker(metal, 0.4))
        else:  # an aerial
            things.line(u, 0.0, u, 3.4, 0.07, (60, 60, 64))
            for v in (2.2, 2.6, 3.0):
                things.line(u - 0.5, v, u + 0.5, v, 0.05, (60, 60, 64))


def track(site: Site) -> None:
    """Paint a track: lanes, hoardings and a stand full of spectators; hurdles."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    sky(site, 4.0)
    stand = tone(rng, (0.0, 1.0), (0.05, 0.4), (0.35, 0.65))
    top = back.top * rng.uniform(0.6, 0.8)
    back.box(-site.half, 0.0, site.half, top, stand)
    for v in np.arange(1.3, top - 0.3, 0.4):
        back.line(-site.half, v, site.half, v, 0.06, darker(stand, 0.6))
        for u in site.spread(0.55):
            if rng.random() < 0.75:
                back.disc(u, v + 0.2, 0.15, tone(rng, (0.0, 1.0), (0.1, 0.9), (0.3, 1.0)))
    back.box(-site.half, top - 0.1, site.half, top + 0.3, darker(stand, 0.4))
    for u in np.arange(-site.half, site.half, 3.0):
        advert = tone(rng, (0.0, 1.0), (0.4, 1.0), (0.4, 0.95))
        back.box(u, -0.6, u + 2.9, 0.95, advert)
        for letter in np.arange(0.4, 2.4, 0.4):
            back.box(u + letter, 0.3, u + letter + 0.22, 0.3 + rng.uniform(0.2, 0.42), WHITE)
    lane = tone(rng, (0.97, 1.06) if rng.random() < 0.7 else (0.55, 0.65), (0.45, 0.8), (0.45, 0.8))
    floor.fill(tone(rng, (0.22, 0.33), (0.4, 0.7), (0.35, 0.65)))
    floor.box(-site.half, -4.5, site.half, 0.62 * site.depth, lane)
    floor.mottle(rng, 0.3, 0.12)
    for v in np.arange(-4.3, 0.62 * site.depth, 1.22):
        floor.line(-site.half, v, site.half, v, 0.09, WHITE)
    for u in site.spread(4.4):
        for leg in (-0.5, 0.42):
            things.box(u + leg, 0.0, u + leg + 0.08, 0.95, (200, 200, 205))
        things.box(u - 0.6, 0.75, u + 0.6, 0.98, WHITE)
        things.box(u - 0.2, 0.75, u + 0.2, 0.98, tone(rng, (0, 1), (0.6, 1.0), (0.3, 0.8)))


def street(site: Site) -> None:
    """Paint a street: house fronts, shop windows, a kerb and paving; cars and signs."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    sky(site, 4.0)
    u = -site.half
    while u < site.half:
        wide = rng.uniform(3.0, 4.6)
        wall = tone(rng, (0.0, 1.0), (0.05, 0.5), (0.5, 0.92))
        back.box(u, -0.6, u + wide, back.top * rng.uniform(0.7, 1.05), wall)
        back.box(u + 0.3, 0.0, u + 1.1, 2.1, darker(wall, 0.4))
        back.box(u + 1.4, 0.7, u + wide - 0.2, 2.1, tone(rng, (0.5, 0.62), (0.1, 0.4), (0.3, 0.75)))
        awning = tone(rng, (0.0, 1.0), (0.5, 0.9), (0.5, 0.9))
        for part, left in enumerate(np.arange(u + 1.2, u + wide - 0.2, 0.3)):
            back.polygon(
                [(left, 2.2), (left + 0.3, 2.2), (left + 0.3, 2.65), (left, 2.65)], awning if part % 2 else WHITE
            )
        for v in np.arange(3.2, back.top - 0.6, 1.5):
            for left in np.arange(u + 0.4, u + wide - 0.8, 1.2):
                back.box(left, v, left + 0.7, v + 1.0, (58, 66, 78))
                back.box(left - 0.06, v - 0.1, left + 0.76, v, WHITE)
        u += wide
    paving = tone(rng, (0.0, 1.0), (0.0, 0.18), (0.5, 0.75))
    kerb = rng.uniform(1.0, 2.2)
    floor.fill(paving)
    for v in np.arange(-4.5, kerb, 0.7):
        floor.line(-site.half, v, site.half, v, 0.05, darker(paving, 0.7))
    for left in np.arange(-site.half, site.half, 0.9):
        floor.line(left, -4.5, left, kerb, 0.04, darker(paving, 0.7))
    floor.box(-site.half, kerb, site.half, site.depth, (72, 74, 78))
    floor.mottle(rng, 0.5, 0.18, octaves=3)
    floor.line(-site.half, kerb, site.half, kerb, 0.22, (205, 205, 200))
    for left in site.spread(3.0, 0.0):
        floor.line(left, 0.5 * (kerb + site.depth), left + 1.4, 0.5 * (kerb + site.depth), 0.15, WHITE)
    for at in site.spread(5.2):
        if rng.random() < 0.65:
            _car(things, at, tone(rng, (0.0, 1.0), (0.1, 0.95), (0.3, 0.95)))
        else:
            things.line(at, 0.0, at, 4.0, 0.11, (52, 56, 58))
            things.disc(at, 2.4, 0.35, tone(rng, (0, 1), (0.7, 1.0), (0.6, 0.9)))


def _car(plate: Plate, u: float, paint: Colour) -> None:
    plate.polygon([(u - 1.9, 0.3), (u + 1.9, 0.3), (u + 1.9, 0.75), (u + 1.1, 0.85), (u - 1.7, 0.9)], paint)
    plate.polygon([(u - 1.4, 0.85), (u + 1.1, 0.85), (u + 0.5, 1.4), (u - 0.9, 1.4)], darker(paint, 0.8))
    plate.polygon([(u - 1.15, 0.88), (u - 0.15, 0.88), (u - 0.15, 1.3), (u - 0.8, 1.3)], (160, 185, 200))
    plate.polygon([(u, 0.88), (u + 0.9, 0.88), (u + 0.45, 1.3), (u, 1.3)], (160, 185, 200))
    for wheel in (-1.2, 1.2):
        plate.disc(u + wheel, 0.32, 0.34, (22, 22, 24))
        plate.disc(u + wheel, 0.32, 0.16, (165, 165, 170))
