"""Painters of the kinds of places in nature."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.plate import Colour, Plate, darker, mixed, tone
from harness.datasets.mocap_actions.site import Site

WHITE: Colour = (244.0, 245.0, 246.0)


def sky(site: Site, horizon: float) -> Colour:
    """Paint a sky, with or without clouds; returns the colour at the horizon."""
    rng, back = site.generator, site.backdrop
    high = tone(rng, (0.53, 0.64), (0.1, 0.6), (0.6, 0.98))
    low = mixed(high, tone(rng, (0.03, 0.6), (0.05, 0.3), (0.85, 1.0)), 0.7)
    back.fill(low)
    back.gradient(horizon, back.top, low, high)
    if rng.random() < 0.6:
        back.mottle(rng, 1.6, 0.25, octaves=3, stretch=3.0, span=(horizon, back.top))
    return low


def _tree(plate: Plate, site: Site, u: float, height: float, leaves: Colour) -> None:
    rng = site.generator
    bark = tone(rng, (0.05, 0.1), (0.3, 0.6), (0.2, 0.4))
    plate.line(u, 0.0, u + rng.uniform(-0.1, 0.1), 0.6 * height, 0.09 * height, bark)
    for share in (0.75, 1.0, 1.2):
        for _ in range(5):
            radius = height * rng.uniform(0.1, 0.19)
            du, dv = height * rng.uniform(-0.25, 0.25), height * rng.uniform(0.5, 0.85)
            plate.disc(u + du, dv + 0.1 * height * share, radius, darker(leaves, share * rng.uniform(0.85, 1.15)))


def _fir(plate: Plate, u: float, height: float, needles: Colour, snow: bool) -> None:
    plate.box(u - 0.05 * height, 0.0, u + 0.05 * height, 0.25 * height, (70, 50, 35))
    for tier in range(4):
        low, wide = height * (0.15 + 0.2 * tier), height * (0.28 - 0.055 * tier)
        plate.polygon([(u - wide, low), (u + wide, low), (u, low + 0.33 * height)], darker(needles, 0.85 + 0.1 * tier))
        if snow:
            plate.polygon(
                [
                    (u - 0.4 * wide, low + 0.18 * height),
                    (u + 0.4 * wide, low + 0.18 * height),
                    (u, low + 0.33 * height),
                ],
                WHITE,
            )


def park(site: Site) -> None:
    """Paint a park: a lawn with a path, a hedge of round trees; benches and lamps."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    grass = tone(rng, (0.2, 0.33), (0.35, 0.75), (0.4, 0.75))
    sky(site, 1.5)
    for layer, shade in ((2.6, 0.55), (1.6, 0.75)):
        for u in site.spread(0.9):
            leaves = tone(rng, (0.17, 0.36), (0.35, 0.75), (0.35, 0.65))
            back.disc(u, layer * rng.uniform(0.5, 0.9), layer * rng.uniform(0.4, 0.6), darker(leaves, shade))
    back.box(-site.half, -0.6, site.half, 0.35, darker(grass, 0.85))
    floor.fill(grass)
    floor.mottle(rng, 0.7, 0.45, octaves=3)
    path = tone(rng, (0.07, 0.14), (0.1, 0.4), (0.6, 0.85))
    v, slope = rng.uniform(1.0, 4.0), rng.uniform(-0.15, 0.15)
    floor.line(-site.half, v - slope * site.half, site.half, v + slope * site.half, rng.uniform(0.9, 1.8), path)
    for u in site.spread(3.6):
        what = rng.random()
        if what < 0.45:
            _tree(things, site, u, rng.uniform(2.4, 3.6), tone(rng, (0.18, 0.36), (0.4, 0.8), (0.35, 0.7)))
        elif what < 0.8:  # a bench
            wood = tone(rng, (0.03, 0.12), (0.4, 0.8), (0.35, 0.7))
            for bar in (0.42, 0.62, 0.8):
                things.box(u - 0.8, bar, u + 0.8, bar + 0.1, wood)
            for leg in (-0.7, 0.6):
                things.box(u + leg, 0.0, u + leg + 0.1, 0.8, (45, 45, 48))
        else:
            things.line(u, 0.0, u, 3.2, 0.1, (40, 45, 42))
            things.disc(u, 3.3, 0.22, (250, 245, 210))


def forest(site: Site) -> None:
    """Paint a forest: trunk behind trunk in the gloom, fallen leaves; ferns."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    gloom = tone(rng, (0.12, 0.4), (0.2, 0.6), (0.25, 0.6))
    back.fill(gloom)
    back.mottle(rng, 1.2, 0.9, octaves=3)
    for shade, gap, width in ((1.25, 0.7, 0.16), (0.75, 1.1, 0.26), (0.45, 1.9, 0.4)):
        bark = mixed(darker(gloom, shade), tone(rng, (0.02, 0.12), (0.2, 0.5), (0.2, 0.55)), 0.5)
        for u in site.spread(gap):
            back.line(
                u,
                -0.6,
                u + rng.uniform(-0.3, 0.3),
                back.top,
                width * rng.uniform(0.7, 1.3),
                darker(bark, rng.uniform(0.8, 1.2)),
            )
    floor.fill(tone(rng, (0.05, 0.25), (0.3, 0.65), (0.25, 0.55)))
    floor.mottle(rng, 0.35, 0.8, octaves=3)
    for _ in range(120):
        leaf = tone(rng, (0.02, 0.3), (0.4, 0.8), (0.3, 0.75))
        floor.disc(rng.uniform(-8, 8), rng.uniform(-4, site.depth), rng.uniform(0.05, 0.12), leaf)
    for u in site.spread(2.6):
        if rng.random() < 0.5:
            bark = tone(rng, (0.03, 0.12), (0.2, 0.6), (0.15, 0.45))
            lean = rng.uniform(-0.3, 0.3)
            things.line(u, -0.1, u + lean, things.top, rng.uniform(0.25, 0.5), bark)
            things.line(u - 0.08, -0.1, u + lean - 0.08, things.top, 0.06, darker(bark, 1.6))
        else:
            for angle in np.linspace(0.4, 2.7, 7):
                fern = tone(rng, (0.22, 0.36), (0.5, 0.9), (0.25, 0.6))
                things.line(u, 0.0, u + 0.7 * np.cos(angle), 0.65 * np.sin(angle), 0.12, fern)


def beach(site: Site) -> None:
    """Paint a beach: a band of sea with breakers, rippled sand; parasols and palms."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    horizon = rng.uniform(1.5, 2.1)
    sky(site, horizon)
    sea = tone(rng, (0.45, 0.6), (0.4, 0.8), (0.35, 0.75))
    back.gradient(0.3, horizon, mixed(sea, WHITE, 0.25), sea)
    for _ in range(40):
        u, v = rng.uniform(-site.half, site.half), rng.uniform(0.4, horizon - 0.1)
        back.line(u, v, u + rng.uniform(0.4, 1.8), v, 0.05, mixed(sea, WHITE, 0.6))
    back.box(-site.half, 0.12, site.half, 0.34, WHITE)
    sand = tone(rng, (0.08, 0.14), (0.15, 0.5), (0.7, 0.95))
    back.box(-site.half, -0.6, site.half, 0.14, darker(sand, 0.8))
    floor.fill(sand)
    floor.mottle(rng, 0.6, 0.2, octaves=3, stretch=3.0)
    for u in site.spread(3.6):
        cloth = tone(rng, (0.0, 1.0), (0.5, 0.95), (0.6, 0.95))
        what = rng.random()
        if what < 0.5:  # a parasol
            things.line(u, 0.0, u, 2.0, 0.06, (235, 230, 220))
            for part, shade in enumerate((0.75, 1.0, 1.2, 0.9)):
                left = u - 1.0 + 0.5 * part
                things.polygon(
                    [(left, 1.75), (left + 0.5, 1.75), (u, 2.35)], cloth if part % 2 else darker(WHITE, shade)
                )
        elif what < 0.8:  # a deck chair
            things.line(u - 0.6, 0.1, u + 0.5, 0.85, 0.16, cloth)
            things.line(u - 0.5, 0.65, u + 0.3, 0.0, 0.06, (150, 110, 70))
        else:  # a palm
            things.line(u, 0.0, u + 0.4, 3.2, 0.2, (140, 105, 70))
            for angle in np.linspace(-0.5, 3.6, 8):
                things.line(u + 0.4, 3.2, u + 0.4 + 1.1 * np.cos(angle), 3.2 + 0.7 * np.sin(angle), 0.16, (60, 125, 55))


def snow(site: Site) -> None:
    """Paint snow: jagged mountains, a white field with tracks; firs and fences."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    sky(site, 1.0)
    for base, shade in ((rng.uniform(3.5, 5.0), 0.95), (rng.uniform(2.0, 3.0), 0.7)):
        rock = darker(tone(rng, (0.55, 0.68), (0.1, 0.4), (0.6, 0.85)), shade)
        u = -site.half - 2.0
        while u < site.half:
            wide, high = rng.uniform(2.0, 4.0), base * rng.uniform(0.7, 1.15)
            back.polygon([(u - wide, 0.0), (u + wide, 0.0), (u, high)], rock)
            back.polygon([(u - 0.38 * wide, 0.62 * high), (u + 0.3 * wide, 0.7 * high), (u, high)], WHITE)
            u += wide * rng.uniform(0.8, 1.5)
    back.box(-site.half, -0.6, site.half, 0.5, (226, 232, 240))
    for u in site.spread(1.3):
        _fir(back, u, rng.uniform(0.9, 2.0), tone(rng, (0.3, 0.45), (0.2, 0.5), (0.2, 0.45)), snow=False)
    floor.fill(tone(rng, (0.55, 0.65), (0.01, 0.1), (0.88, 0.98)))
    floor.mottle(rng, 1.2, 0.16, octaves=2, stretch=2.5)
    for _ in range(3):
        v, slope = rng.uniform(-2, site.depth), rng.uniform(-0.1, 0.1)
        for gap in (0.0, 0.3):
            floor.line(
                -site.half, v + gap - slope * site.half, site.half, v + gap + slope * site.half, 0.1, (186, 198, 216)
            )
    for u in site.spread(3.0):
        if rng.random() < 0.6:
            _fir(things, u, rng.uniform(2.0, 3.4), tone(rng, (0.3, 0.45), (0.2, 0.55), (0.2, 0.45)), snow=True)
        else:
            for post in np.arange(-1.2, 1.3, 0.4):
                things.box(u + post, 0.0, u + post + 0.1, 0.95, (120, 92, 66))
            for bar in (0.35, 0.7):
                things.box(u - 1.25, bar, u + 1.35, bar + 0.09, (120, 92, 66))
