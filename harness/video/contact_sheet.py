"""A picture of a split that people can look at: a row of frames for each class."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from harness.interfaces import Split

MARGIN = 4
"""Pixels between frames."""


def contact_sheet(split: Split, *, label: str = "action", columns: int = 7, height: int = 80) -> bytes:
    """A PNG with a row for each class of `label`: `columns` frames, evenly spaced over one of its videos.

    The rows show a different group each where they can, so that people, places and cameras vary down the sheet.

    Args:
        split: a labelled split.
        label: the kind of label whose classes are shown.
        columns: frames of each video.
        height: of a frame, in pixels.

    Raises:
        KeyError: when the split has no such label.
        DataError: when a video does not decode.
    """
    classes = split.classes[label]
    rows = []
    for index in range(len(classes)):
        candidates = [i for i, video in enumerate(split.videos) if video.labels[label] == index]
        if candidates:
            rows.append((classes[index], _frames(split, candidates[index % len(candidates)], columns, height)))
    font = ImageFont.load_default(size=height / 6)
    text = round(max(font.getlength(name) for name, _ in rows)) + 4 * MARGIN
    width = max(sum(frame.shape[1] + MARGIN for frame in frames) for _, frames in rows)
    sheet = Image.new("RGB", (text + width, len(rows) * (height + MARGIN) + MARGIN), "white")
    draw = ImageDraw.Draw(sheet)
    for row, (name, frames) in enumerate(rows):
        top = MARGIN + row * (height + MARGIN)
        draw.text((text - 2 * MARGIN, top + height / 2), name, fill="black", font=font, anchor="rm")
        left = text
        for frame in frames:
            sheet.paste(Image.fromarray(frame), (left, top))
            left += frame.shape[1] + MARGIN
    png = io.BytesIO()
    sheet.quantize(256, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)  # a third of the bytes
    return png.getvalue()


def _frames(
    split: Split, index: int, columns: int, height: int
) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    positions = np.linspace(0, split.videos[index].frames - 1, columns).round().astype(int)
    frames = split.read(index, positions.tolist()).numpy()
    width = round(frames.shape[2] * height / frames.shape[1])
    return [np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.LANCZOS)) for frame in frames]
