"""Painters of the kinds of places that have walls."""

from __future__ import annotations

import numpy as np

from harness.datasets.mocap_actions.plate import Colour, darker, mixed, tone
from harness.datasets.mocap_actions.site import Site

WHITE: Colour = (245.0, 245.0, 240.0)


def gym(site: Site) -> None:
    """Paint a gym: wall bars, windows, lines on the floor; vaulting boxes and mats."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    wall = tone(rng, (0.0, 1.0), (0.05, 0.3), (0.6, 0.9))
    wood = tone(rng, (0.05, 0.12), (0.35, 0.7), (0.55, 0.85))
    back.fill(wall)
    back.box(-site.half, -0.6, site.half, rng.uniform(0.9, 1.5), tone(rng, (0, 1), (0.4, 0.8), (0.35, 0.7)))
    for u in site.spread(rng.uniform(3.2, 4.5), 0.1):
        back.box(u - 1.0, 3.3, u + 1.0, 4.3, tone(rng, (0.5, 0.6), (0.05, 0.2), (0.85, 1.0)))
    for u in site.spread(rng.uniform(2.6, 4.0), 0.15):
        for post in (-0.5, 0.5):
            back.box(u + post - 0.05, 0.0, u + post + 0.05, 2.7, darker(wood, 0.75))
        for rung in np.arange(0.25, 2.7, 0.25):
            back.box(u - 0.5, rung, u + 0.5, rung + 0.07, wood)
    floor.fill(tone(rng, (0.05, 0.13), (0.3, 0.6), (0.6, 0.85)))
    floor.mottle(rng, 0.5, 0.18, stretch=5.0)
    for _ in range(5):
        line = tone(rng, (0.0, 1.0), (0.6, 1.0), (0.4, 0.9))
        if rng.random() < 0.5:
            v = rng.uniform(-3, site.depth)
            floor.line(-site.half, v, site.half, v, 0.08, line)
        else:
            u = rng.uniform(-6, 6)
            floor.line(u, -4.5, u + rng.uniform(-1, 1), site.depth, 0.08, line)
    for u in site.spread(3.4):
        cloth = tone(rng, (0.0, 1.0), (0.5, 0.9), (0.4, 0.85))
        what = rng.integers(3)
        if what == 0:  # a vaulting box
            things.polygon([(u - 0.8, 0), (u + 0.8, 0), (u + 0.6, 1.0), (u - 0.6, 1.0)], wood)
            for v in (0.3, 0.6):
                things.line(u - 0.75, v, u + 0.75, v, 0.04, darker(wood, 0.5))
            things.box(u - 0.62, 0.95, u + 0.62, 1.15, cloth)
        elif what == 1:  # mats in a pile
            for layer in range(int(rng.integers(2, 5))):
                things.box(u - 1.0, 0.18 * layer, u + 1.0, 0.18 * layer + 0.15, darker(cloth, 1.0 - 0.12 * (layer % 2)))
        else:
            things.disc(u, 0.35, 0.35, cloth)


def stage(site: Site) -> None:
    """Paint a stage: curtains, cones of light, boards; loudspeakers and microphones."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    curtain = tone(rng, (0.0, 1.0), (0.5, 0.95), (0.25, 0.55))
    back.fill(darker(curtain, 0.6))
    for u in site.spread(rng.uniform(0.4, 0.7), 0.3):
        back.box(u, 0.0, u + 0.22, back.top, darker(curtain, rng.uniform(0.9, 1.5)))
    back.gradient(-0.6, 0.0, (10, 10, 10), (15, 15, 15))
    for u in site.spread(rng.uniform(2.2, 3.4)):
        light = tone(rng, (0.0, 1.0), (0.1, 0.6), (0.9, 1.0))
        lean = rng.uniform(-1.2, 1.2)
        beam = mixed(curtain, light, 0.45)
        back.polygon([(u, back.top), (u + 0.15, back.top), (u + lean + 0.9, 0.6), (u + lean - 0.6, 0.6)], beam)
        back.disc(u, back.top - 0.25, 0.2, WHITE)
    floor.fill(tone(rng, (0.03, 0.1), (0.2, 0.6), (0.25, 0.5)))
    for v in np.arange(-4.5, site.depth, 0.4):
        floor.line(-site.half, v, site.half, v, 0.05, (25, 18, 14))
    for _ in range(4):
        pool = tone(rng, (0.0, 1.0), (0.1, 0.5), (0.5, 0.8))
        floor.disc(rng.uniform(-5, 5), rng.uniform(0, site.depth), rng.uniform(0.5, 1.1), pool)
    for u in site.spread(4.2):
        if rng.random() < 0.6:  # loudspeakers
            height = rng.uniform(0.9, 1.9)
            things.box(u - 0.4, 0.0, u + 0.4, height, (28, 28, 32))
            for v in np.arange(0.3, height, 0.55):
                things.disc(u, v, 0.26, (85, 85, 92))
                things.disc(u, v, 0.1, (20, 20, 22))
        else:
            things.line(u, 0.0, u, 1.5, 0.06, (150, 150, 155))
            things.line(u - 0.25, 0.0, u + 0.25, 0.0, 0.08, (150, 150, 155))
            things.disc(u, 1.55, 0.1, (60, 60, 60))


def living_room(site: Site) -> None:
    """Paint a living room: wallpaper, windows, pictures, a carpet; sofas and lamps."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    paper = tone(rng, (0.0, 1.0), (0.1, 0.45), (0.6, 0.95))
    back.fill(paper)
    for u in site.spread(rng.uniform(0.5, 0.9), 0.0):
        back.box(u, 0.0, u + 0.2, back.top, darker(paper, 0.88))
    back.box(-site.half, 3.2, site.half, back.top, WHITE)
    back.box(-site.half, -0.6, site.half, 0.18, WHITE)
    for u in site.spread(rng.uniform(2.4, 3.3)):
        if rng.random() < 0.4:  # a window
            sky = tone(rng, (0.5, 0.62), (0.2, 0.5), (0.8, 1.0))
            back.box(u - 0.8, 0.9, u + 0.8, 2.6, WHITE)
            back.box(u - 0.7, 1.0, u - 0.05, 2.5, sky)
            back.box(u + 0.05, 1.0, u + 0.7, 2.5, sky)
            drape = tone(rng, (0.0, 1.0), (0.3, 0.8), (0.4, 0.8))
            for side in (-1.05, 0.75):
                back.box(u + side, 0.3, u + side + 0.35, 2.8, drape)
        else:  # pictures
            size = rng.uniform(0.3, 0.5)
            back.box(u - size, 1.5, u + size, 1.5 + 1.5 * size, tone(rng, (0.05, 0.12), (0.3, 0.8), (0.2, 0.6)))
            back.box(
                u - size + 0.07, 1.57, u + size - 0.07, 1.43 + 1.5 * size, tone(rng, (0, 1), (0.2, 0.7), (0.5, 0.9))
            )
            back.disc(u, 1.5 + 0.7 * size, 0.4 * size, tone(rng, (0, 1), (0.4, 0.9), (0.4, 0.9)))
    floor.fill(tone(rng, (0.04, 0.1), (0.3, 0.65), (0.4, 0.75)))
    for u in site.spread(0.35, 0.0):
        floor.line(u, -4.5, u, site.depth, 0.03, (60, 40, 25))
    rug = tone(rng, (0.0, 1.0), (0.3, 0.8), (0.35, 0.8))
    for share in (1.0, 0.85, 0.7):
        floor.box(-3.2 * share, -2.0 * share, 3.2 * share, 1.6 * share, darker(rug, 1.0 if share != 0.85 else 1.35))
    for u in site.spread(3.3):
        cloth = tone(rng, (0.0, 1.0), (0.3, 0.8), (0.3, 0.75))
        what = rng.random()
        if what < 0.5:  # a sofa
            things.box(u - 1.0, 0.1, u + 1.0, 0.85, darker(cloth, 0.8))
            things.box(u - 1.0, 0.1, u + 1.0, 0.45, cloth)
            for side in (-1.1, 0.9):
                things.box(u + side, 0.05, u + side + 0.22, 0.65, darker(cloth, 1.15))
        elif what < 0.75:  # a plant
            things.polygon([(u - 0.18, 0), (u + 0.18, 0), (u + 0.25, 0.4), (u - 0.25, 0.4)], (150, 85, 55))
            for angle in np.linspace(0.3, 2.8, 8):
                leaf = tone(rng, (0.25, 0.38), (0.5, 0.9), (0.25, 0.6))
                things.line(u, 0.4, u + 0.7 * np.cos(angle), 0.5 + 0.9 * np.sin(angle), 0.14, leaf)
        else:  # a lamp
            things.line(u, 0.0, u, 1.4, 0.05, (70, 60, 50))
            things.polygon([(u - 0.35, 1.35), (u + 0.35, 1.35), (u + 0.2, 1.8), (u - 0.2, 1.8)], (250, 230, 160))


def dojo(site: Site) -> None:
    """Paint a dojo: paper screens in dark wood, scrolls, straw mats; racks of staffs."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    paper = tone(rng, (0.08, 0.16), (0.05, 0.25), (0.8, 0.97))
    wood = tone(rng, (0.02, 0.1), (0.3, 0.7), (0.2, 0.45))
    back.fill(paper)
    across, up = rng.uniform(0.45, 0.7), rng.uniform(0.45, 0.7)
    for v in np.arange(0.5, 2.5, up):
        back.line(-site.half, v, site.half, v, 0.06, wood)
    for count, u in enumerate(np.arange(-site.half, site.half, across)):
        back.line(u, 0.0, u, 2.5, 0.16 if count % 4 == 0 else 0.06, wood)
    back.box(-site.half, -0.6, site.half, 0.5, wood)
    back.box(-site.half, 2.4, site.half, 2.65, wood)
    back.box(-site.half, 2.65, site.half, back.top, tone(rng, (0.05, 0.15), (0.1, 0.4), (0.5, 0.85)))
    for u in site.spread(4.0):
        back.box(u - 0.35, 0.8, u + 0.35, 2.3, WHITE)
        for v in np.arange(1.0, 2.2, 0.3):
            back.line(
                u - rng.uniform(0.05, 0.25),
                v,
                u + rng.uniform(0.05, 0.25),
                v + rng.uniform(-0.15, 0.15),
                0.08,
                (20, 20, 20),
            )
    mat = tone(rng, (0.1, 0.3), (0.2, 0.5), (0.55, 0.85))
    floor.fill(mat)
    floor.mottle(rng, 0.3, 0.12, stretch=3.0)
    for row, v in enumerate(np.arange(-4.5, site.depth, 1.0)):
        floor.line(-site.half, v, site.half, v, 0.1, darker(mat, 0.4))
        for u in np.arange(-site.half + (row % 2), site.half, 2.0):
            floor.line(u, v, u, v + 1.0, 0.1, darker(mat, 0.4))
    for u in site.spread(4.5):
        for offset in (-0.5, -0.2, 0.1, 0.4):
            things.line(u + offset, 0.0, u + offset + 0.06, rng.uniform(1.3, 1.9), 0.06, darker(wood, 1.5))
        things.line(u - 0.7, 0.5, u + 0.7, 0.5, 0.09, darker(wood, 0.7))
        things.line(u - 0.7, 1.0, u + 0.7, 1.0, 0.09, darker(wood, 0.7))


def kitchen(site: Site) -> None:
    """Paint a kitchen: tiles, cupboards, stoves, a chequered floor; tables and chairs."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    tile = tone(rng, (0.0, 1.0), (0.03, 0.3), (0.75, 0.97))
    front = tone(rng, (0.0, 1.0), (0.15, 0.6), (0.4, 0.9))
    back.fill(tile)
    for v in np.arange(0.9, 1.9, 0.2):
        back.line(-site.half, v, site.half, v, 0.03, darker(tile, 0.7))
    for u in np.arange(-site.half, site.half, 0.3):
        back.line(u, 0.9, u, 1.8, 0.03, darker(tile, 0.7))
    back.box(-site.half, -0.6, site.half, 0.88, front)
    back.box(-site.half, 0.86, site.half, 0.96, (60, 58, 55))
    back.box(-site.half, 1.8, site.half, 2.7, front)
    back.box(-site.half, 2.7, site.half, back.top, WHITE)
    for u in np.arange(-site.half, site.half, 0.75):
        for low, high in ((0.08, 0.84), (1.85, 2.65)):
            back.line(u, low, u, high, 0.05, darker(front, 0.55))
            back.box(u + 0.6, low + 0.35, u + 0.66, low + 0.5, (225, 225, 220))
    for u in site.spread(3.2):
        what = rng.integers(3)
        if what == 0:  # a refrigerator
            steel = tone(rng, (0.5, 0.7), (0.0, 0.12), (0.7, 0.97))
            back.box(u - 0.5, 0.0, u + 0.5, 2.1, steel)
            back.line(u - 0.5, 1.3, u + 0.5, 1.3, 0.05, darker(steel, 0.5))
            back.line(u + 0.38, 0.5, u + 0.38, 1.9, 0.06, darker(steel, 0.4))
        elif what == 1:  # a stove under its hood
            back.box(u - 0.45, 0.0, u + 0.45, 0.94, (50, 50, 54))
            back.box(u - 0.33, 0.15, u + 0.33, 0.65, (15, 15, 18))
            back.polygon([(u - 0.5, 1.8), (u + 0.5, 1.8), (u + 0.2, 2.4), (u - 0.2, 2.4)], (180, 182, 186))
        else:  # a window
            back.box(u - 0.6, 1.05, u + 0.6, 2.3, WHITE)
            back.box(u - 0.5, 1.15, u + 0.5, 2.2, tone(rng, (0.5, 0.62), (0.15, 0.5), (0.85, 1.0)))
    size = rng.uniform(0.45, 0.7)
    light = tone(rng, (0.0, 1.0), (0.02, 0.2), (0.75, 0.95))
    dark = tone(rng, (0.0, 1.0), (0.1, 0.6), (0.2, 0.6))
    floor.fill(light)
    for row, v in enumerate(np.arange(-4.5, site.depth, size)):
        for u in np.arange(-site.half + (row % 2) * size, site.half, 2 * size):
            floor.box(u, v, u + size, v + size, dark)
    for u in site.spread(3.8):
        wood = tone(rng, (0.04, 0.12), (0.3, 0.7), (0.35, 0.75))
        if rng.random() < 0.5:  # a table
            things.box(u - 0.8, 0.7, u + 0.8, 0.8, wood)
            for leg in (-0.7, 0.62):
                things.box(u + leg, 0.0, u + leg + 0.08, 0.7, darker(wood, 0.7))
            things.disc(u + rng.uniform(-0.5, 0.5), 0.9, 0.12, tone(rng, (0, 1), (0.4, 0.9), (0.5, 0.95)))
        else:  # a chair
            things.box(u - 0.25, 0.42, u + 0.25, 0.5, wood)
            things.box(u - 0.25, 0.0, u - 0.19, 1.0, darker(wood, 0.75))
            things.box(u + 0.19, 0.0, u + 0.25, 0.45, darker(wood, 0.75))
            for v in (0.65, 0.85):
                things.box(u - 0.25, v, u + 0.2, v + 0.08, wood)


def rink(site: Site) -> None:
    """Paint a rink: boards with advertising, glass, seats, scratched ice with lines."""
    rng, back, floor, things = site.generator, site.backdrop, site.ground, site.things
    seats = tone(rng, (0.0, 1.0), (0.2, 0.7), (0.2, 0.5))
    back.fill(darker(seats, 0.7))
    for v in np.arange(1.6, back.top, 0.45):
        back.line(-site.half, v, site.half, v, 0.12, darker(seats, 1.3))
        for u in site.spread(0.8):
            if rng.random() < 0.45:
                back.disc(u, v + 0.2, 0.14, tone(rng, (0.0, 1.0), (0.1, 0.8), (0.4, 0.95)))
    back.box(-site.half, -0.6, site.half, 1.1, (236, 240, 245))
    for u in site.spread(2.4, 0.2):
        advert = tone(rng, (0.0, 1.0), (0.5, 1.0), (0.4, 0.9))
        back.box(u - 0.8, 0.3, u + 0.8, 0.85, advert)
        for letter in np.arange(-0.6, 0.6, 0.25):
            back.box(u + letter, 0.42, u + letter + 0.12, 0.42 + rng.uniform(0.15, 0.32), WHITE)
    back.box(-site.half, 1.02, site.half, 1.14, tone(rng, (0, 1), (0.6, 1.0), (0.5, 0.9)))
    back.box(-site.half, -0.6, site.half, 0.18, tone(rng, (0.12, 0.16), (0.6, 0.9), (0.8, 0.95)))
    for u in np.arange(-site.half, site.half, 1.6):
        back.line(u, 1.1, u, 2.2, 0.05, (205, 215, 220))
    floor.fill(tone(rng, (0.5, 0.6), (0.03, 0.12), (0.85, 0.96)))
    floor.mottle(rng, 1.5, 0.1, stretch=3.0)
    for _ in range(50):
        u, v = rng.uniform(-9, 9), rng.uniform(-4, site.depth)
        floor.line(u, v, u + rng.uniform(-1.5, 1.5), v + rng.uniform(-0.8, 0.8), 0.03, (205, 216, 226))
    red, blue = (200.0, 60.0, 70.0), (60.0, 90.0, 190.0)
    floor.line(-site.half, rng.uniform(1.5, 4), site.half, rng.uniform(1.5, 4), 0.12, red)
    for u, line in ((rng.uniform(-7, -2), blue), (rng.uniform(2, 7), red)):
        floor.line(u, -4.5, u, site.depth, 0.28, line)
    floor.disc(0.0, 0.0, 2.4, darker(blue, 1.2))
    floor.disc(0.0, 0.0, 2.2, (222, 230, 238))
    for u in site.spread(6.5):
        things.polygon([(u - 0.22, 0.0), (u + 0.22, 0.0), (u + 0.04, 0.7), (u - 0.04, 0.7)], (240, 120, 40))
