"""Light and sensor of a clip: exposure, tint, drift, flicker, softness and noise."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from numpy.random import Generator

from harness.datasets.mocap_actions.motion import Array

Image = npt.NDArray[np.uint8]
MARGIN = 32  # by how much the noise field exceeds a frame, to be shifted about in


@dataclass(frozen=True, slots=True)
class Sensor:
    """State of light and sensor in each of T frames."""

    gains: Array
    """(T, 3) of red, green and blue."""
    gamma: float
    softness: float
    """Width of the blur, in pixels."""
    noise: npt.NDArray[np.int16]
    """(H + MARGIN, W + MARGIN, 3) grey levels."""
    shifts: npt.NDArray[np.int64]
    """(T, 2) place in the noise that a frame gets."""

    def expose(self, frame: int, image: Image) -> Image:
        """Record the image (H, W, 3)."""
        levels = np.linspace(0.0, 1.0, 256)[:, None] ** self.gamma * self.gains[frame] * 255.0
        table = np.clip(np.round(levels), 0, 255).astype(np.uint8)[None]
        if self.softness > 0.25:
            image = cv2.GaussianBlur(image, (0, 0), self.softness).astype(np.uint8, copy=False)
        lit = cv2.LUT(image, table)
        down, across = self.shifts[frame]
        height, width = image.shape[:2]
        grain = self.noise[down : down + height, across : across + width]
        return np.asarray(cv2.add(lit, grain, dtype=cv2.CV_8U), dtype=np.uint8)


def sensor(generator: Generator, *, seconds: Array, width: int, height: int) -> Sensor:
    """Draw light and sensor of a clip at random.

    Args:
        generator: The clip's randomness.
        seconds: (T,) times of the frames.
        width: Pixels.
        height: Pixels.
    """
    frames = len(seconds)
    exposure = generator.uniform(0.85, 1.1)
    tint = generator.uniform(0.9, 1.1, 3)
    drift = 1 + generator.uniform(-0.12, 0.12) * np.sin(2 * np.pi * seconds / 6 + generator.uniform(0, 6))
    flicker = 1 + generator.uniform(0.0, 0.025) * generator.standard_normal(frames)
    grain = generator.uniform(0.5, 3.5)
    shape = (height + MARGIN, width + MARGIN)
    grey = generator.standard_normal((*shape, 1), np.float32) + 0.5 * generator.standard_normal((*shape, 3), np.float32)
    return Sensor(
        gains=exposure * tint * (drift * flicker)[:, None],
        gamma=generator.uniform(0.85, 1.2),
        softness=generator.uniform(0.0, 0.45) * height / 96,
        noise=np.round(grain * grey).astype(np.int16),
        shifts=generator.integers(0, MARGIN + 1, (frames, 2)),
    )
