"""Draw rows of frames, each with a text."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from harness.pictures.animation import animate
from harness.pictures.lettering import Lettering

MARGIN = 4
"""Pixels between frames."""

Frame = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]


def sheet(rows: Sequence[tuple[str, Sequence[Frame]]], height: int) -> bytes:
    """Draw a PNG of rows, each with its text on the left of its frames.

    Args:
        rows: texts, whose lines are separated by newlines, and frames (H, W, 3) uint8 RGB, at least one in all.
        height: of a frame on the sheet, in pixels; its width follows.
    """
    png = io.BytesIO()
    picture = _draw(rows, height)
    picture.quantize(256, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)  # a third of the bytes
    return png.getvalue()


def moving_sheet(rows: Sequence[tuple[str, Sequence[Sequence[Frame]]]], height: int) -> bytes:
    """Draw the same of clips, as an animated PNG.

    Args:
        rows: texts and clips; the first frame of a clip shows it where nothing moves, and the others are shown one
            after the other. A clip of fewer frames than others stays at its last.
        height: as in `sheet`.
    """
    count = max(len(clip) for _, clips in rows for clip in clips)
    still, *moving = (
        _draw([(text, [clip[min(moment, len(clip) - 1)] for clip in clips]) for text, clips in rows], height)
        for moment in range(count)
    )
    return animate(still, moving)


def _draw(rows: Sequence[tuple[str, Sequence[Frame]]], height: int) -> Image.Image:
    lettering = Lettering(height / 6)
    shown = [(text, [_scaled(frame, height) for frame in frames]) for text, frames in rows]
    left = round(max(lettering.width(line) for text, _ in rows for line in text.split("\n"))) + 4 * MARGIN
    width = max(sum(frame.width + MARGIN for frame in frames) for _, frames in shown)
    picture = Image.new("RGB", (left + width, len(rows) * (height + MARGIN) + MARGIN), "white")
    draw = ImageDraw.Draw(picture)
    for row, (text, frames) in enumerate(shown):
        x, top = left, MARGIN + row * (height + MARGIN)
        lettering.write(draw, (left - 2 * MARGIN, top + height / 2), text, right=True)
        for frame in frames:
            picture.paste(frame, (x, top))
            x += frame.width + MARGIN
    return picture


def _scaled(frame: Frame, height: int) -> Image.Image:
    width = round(frame.shape[1] * height / frame.shape[0])
    return Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)
