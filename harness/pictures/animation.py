"""Moving pictures as animated PNG, which shows as a still where nothing moves."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

MILLISECONDS = 150
"""Time that a frame is shown."""
LARGEST = 600_000
"""Bytes above which every second frame is left out."""
COLOURS = 256
"""Colours of all frames together, one of which is transparent."""
HOLD = 16
"""Levels, of 255, by which a pixel changes before it is drawn anew.

Noise and flicker stay below, so that most of a steady camera's picture costs nothing.
"""


def animate(still: Image.Image, frames: Sequence[Image.Image]) -> bytes:
    """Write frames that repeat for ever as an animated PNG of one palette.

    Args:
        still: RGB, the picture where nothing moves, which is not one of the frames.
        frames: RGB, of the same size; at least one.
    """
    while True:
        content = _encode(still, frames)
        if len(content) <= LARGEST or len(frames) <= 2:
            return content
        frames = frames[::2]


def _encode(still: Image.Image, frames: Sequence[Image.Image]) -> bytes:
    first = still.quantize(COLOURS - 1, dither=Image.Dither.NONE)
    transparent = COLOURS - 1
    palette = bytes(first.getpalette() or ())[: 3 * transparent].ljust(3 * COLOURS, b"\xff")
    first.putpalette(palette)
    shown, changes = None, []
    for frame in frames:
        pixels = np.asarray(frame).astype(np.int16)
        indices = np.array(frame.quantize(palette=first, dither=Image.Dither.NONE))
        if shown is None:
            shown = pixels
        else:
            drawn = np.abs(pixels - shown).max(2) > HOLD
            shown = np.where(drawn[..., None], pixels, shown)
            indices[~drawn] = transparent
        change = Image.fromarray(indices)
        change.putpalette(palette)
        change.info["transparency"] = transparent  # else Pillow takes it for white, and a change to white for none
        changes.append(change)
    png = io.BytesIO()
    first.save(
        png,
        "PNG",
        save_all=True,
        append_images=changes,
        default_image=True,
        duration=MILLISECONDS,
        loop=0,
        blend=1,  # over what was shown before
        transparency=transparent,
        optimize=True,
    )
    return png.getvalue()
