"""Painted planes of a place: drawing in metres, colours and procedural textures."""

from __future__ import annotations

import colorsys
import copy
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from harness.datasets.mocap_actions.motion import Array

Colour = tuple[float, float, float]
"""Red, green and blue in 0...255."""
Field = npt.NDArray[np.float32]
"""(h, w) in 0...1."""
SHIFT = 4  # OpenCV's polygons take fixed-point coordinates: sixteenths of a pixel


def tone(
    generator: Generator,
    hue: tuple[float, float],
    saturation: tuple[float, float],
    value: tuple[float, float],
) -> Colour:
    """Draw a colour uniformly from ranges of hue, saturation and value.

    Hue is in turns and may pass 1, the others are in 0...1.
    """
    h, s, v = (generator.uniform(*span) for span in (hue, saturation, value))
    r, g, b = colorsys.hsv_to_rgb(h % 1.0, s, v)
    return 255 * r, 255 * g, 255 * b


def darker(colour: Colour, factor: float) -> Colour:
    """Multiply a colour by `factor`, at most to white.

    >>> darker((100, 200, 40), 0.5)
    (50.0, 100.0, 20.0)
    """
    r, g, b = (min(255.0, channel * factor) for channel in colour)
    return r, g, b


def mixed(a: Colour, b: Colour, share: float) -> Colour:
    """Mix colours: `share` of the way from `a` to `b`."""
    x, y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return x, y, z


class Plate:
    """Plane of a place as an image, drawn upon in metres.

    u goes to the right, v upwards (or away, on the ground).

    Args:
        left: Smallest u, in metres.
        right: Largest u.
        bottom: Smallest v.
        top: Largest v.
        density: Pixels a metre along u and along v.
        channels: 3 for an opaque plane; 4 for a see-through one, whose colours are premultiplied by the fourth channel.
    """

    def __init__(
        self,
        left: float,
        right: float,
        bottom: float,
        top: float,
        density: tuple[float, float],
        channels: int = 3,
    ) -> None:
        self.left, self.right, self.bottom, self.top = left, right, bottom, top
        self.density = density
        height, width = round((top - bottom) * density[1]), round((right - left) * density[0])
        self.pixels: npt.NDArray[np.uint8] = np.zeros((height, width, channels), np.uint8)

    @property
    def to_metres(self) -> Array:
        """Map from pixels (x, y, 1) to (u, v, 1), (3, 3)."""
        du, dv = 1 / self.density[0], 1 / self.density[1]
        return np.array([[du, 0.0, self.left + du / 2], [0.0, -dv, self.top - dv / 2], [0.0, 0.0, 1.0]])

    def fill(self, colour: Colour) -> None:
        """Paint one colour everywhere."""
        self.pixels[:] = self._paint(colour)

    def polygon(self, corners: Sequence[tuple[float, float]] | Array, colour: Colour) -> None:
        """Paint a polygon with corners (u, v)."""
        points = np.asarray(corners, dtype=np.float64)
        x = (points[:, 0] - self.left) * self.density[0] - 0.5
        y = (self.top - points[:, 1]) * self.density[1] - 0.5
        fixed = np.round(np.stack([x, y], axis=-1) * (1 << SHIFT)).astype(np.int32)
        cv2.fillPoly(self.pixels, [fixed], self._paint(colour), cv2.LINE_AA, SHIFT)

    def box(self, left: float, bottom: float, right: float, top: float, colour: Colour) -> None:
        """Paint an upright rectangle."""
        self.polygon([(left, bottom), (right, bottom), (right, top), (left, top)], colour)

    def disc(self, u: float, v: float, radius: float, colour: Colour, stretch: float = 1.0) -> None:
        """Paint a disc, `stretch` times as high as wide."""
        angles = np.linspace(0, 2 * np.pi, 17)[:-1]
        corners = np.stack([u + radius * np.cos(angles), v + stretch * radius * np.sin(angles)], axis=-1)
        self.polygon(corners, colour)

    def line(self, u0: float, v0: float, u1: float, v1: float, width: float, colour: Colour) -> None:
        """Paint a straight line, `width` metres wide."""
        along = np.array([u1 - u0, v1 - v0])
        across = np.array([-along[1], along[0]]) * width / 2 / max(float(np.hypot(*along)), 1e-9)
        start, end = np.array([u0, v0]), np.array([u1, v1])
        self.polygon(np.stack([start + across, end + across, end - across, start - across]), colour)

    def rows(self, bottom: float, top: float) -> slice:
        """Select the image rows between two heights."""
        first = round((self.top - top) * self.density[1])
        last = round((self.top - bottom) * self.density[1])
        return slice(max(first, 0), max(last, 0))

    def gradient(self, bottom: float, top: float, low: Colour, high: Colour) -> None:
        """Fade from one height's colour to another's."""
        rows = self.rows(bottom, top)
        count = self.pixels[rows].shape[0]
        share = np.linspace(1.0, 0.0, count)[:, None, None] if count else np.zeros((0, 1, 1))
        ramp = np.array(low) + (np.array(high) - np.array(low)) * share
        self.pixels[rows, :, :3] = ramp.astype(np.uint8)

    def mottle(
        self,
        generator: Generator,
        cell: float,
        strength: float,
        *,
        octaves: int = 2,
        stretch: float = 1.0,
        span: tuple[float, float] | None = None,
    ) -> None:
        """Lighten and darken by a random field.

        Args:
            generator: Randomness.
            cell: Size of its spots in metres.
            strength: Largest change, as a part of the colour.
            octaves: How many times finer spots are added.
            stretch: How many times wider than high its spots are.
            span: Heights between which, or everywhere.
        """
        rows = self.rows(*span) if span else slice(None)
        part = self.pixels[rows]
        if not part.size:
            return
        cells = (cell * self.density[1], cell * stretch * self.density[0])
        field = noise(generator, part.shape[0], part.shape[1], cells, octaves)
        gain = np.clip((128 + 256 * strength * (field - 0.5)), 0, 255).astype(np.uint8)
        channels = cv2.merge([gain] * 3)
        lit = cv2.multiply(np.ascontiguousarray(part[..., :3]), channels, scale=1 / 128)
        self.pixels[rows, :, :3] = lit if part.shape[2] == 3 else np.minimum(lit, part[..., 3:])

    def veiled(self, light: Array, haze: Array, thick: float, blur: float) -> Plate:
        """Copy it in another light (3,), in a haze (3,) of the share `thick`, and blurred."""
        veiled = copy.copy(self)
        pixels = cv2.GaussianBlur(self.pixels, (0, 0), blur * self.density[0], sigmaY=blur * self.density[1])
        if pixels.shape[2] == 3:
            levels = np.arange(256)[:, None] * light * (1 - thick) + haze * thick
            table = np.clip(np.round(levels), 0, 255).astype(np.uint8)
            veiled.pixels = np.asarray(cv2.LUT(pixels, table[None]), dtype=np.uint8)
            return veiled
        cover = pixels[..., 3:].astype(np.float32) / 255
        lit = pixels[..., :3] * (light * (1 - thick)).astype(np.float32) + cover * (haze * thick).astype(np.float32)
        veiled.pixels = np.concatenate([np.minimum(lit, 255 * cover).astype(np.uint8), pixels[..., 3:]], axis=2)
        return veiled

    def _paint(self, colour: Colour) -> tuple[float, ...]:
        return tuple(float(round(channel)) for channel in (*colour, 255.0)[: self.pixels.shape[2]])


def noise(generator: Generator, height: int, width: int, cells: tuple[float, float], octaves: int) -> Field:
    """Draw a smooth random field (height, width).

    Args:
        generator: Randomness.
        height: Pixels.
        width: Pixels.
        cells: Size of its coarsest spots in pixels, down and across.
        octaves: How many fields are added, each half as large in spots and in weight.
    """
    total = np.zeros((height, width), np.float32)
    weights = 0.0
    for octave in range(octaves):
        rows = max(2, round(height / max(cells[0] / 2**octave, 1.0)))
        columns = max(2, round(width / max(cells[1] / 2**octave, 1.0)))
        coarse = generator.integers(0, 256, (rows, columns), np.uint8).astype(np.float32)
        total += cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR) * (0.5**octave / 255)
        weights += 0.5**octave
    return np.asarray(total / weights, dtype=np.float32)
