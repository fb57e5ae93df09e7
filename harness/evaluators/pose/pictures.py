"""Contact sheet of people with true and predicted skeletons."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import torch
from PIL import Image, ImageDraw

from harness.evaluators.pose.feature_maps import squares
from harness.pictures.lettering import Lettering
from harness.system.text import printable

if TYPE_CHECKING:
    from torch import Tensor

    from harness.evaluators.pose.frames import Frames

CELL = 180
"""Side of a picture, in pixels of the sheet."""

COLUMNS, ROWS = 4, 3
MARGIN, CAPTION = 6, 16

LEFT, RIGHT, MIDDLE = "#e69f00", "#56b4e9", "#f0e442"
"""Okabe and Ito's orange, sky blue and yellow, for any colour vision."""

BONES = (
    *((1, 2, MIDDLE), (7, 8, MIDDLE)),
    *((1, 7, LEFT), (1, 3, LEFT), (3, 5, LEFT)),
    *((2, 8, RIGHT), (2, 4, RIGHT), (4, 6, RIGHT)),
)
"""Two joints and a colour."""

NOSE = 0
FINE = 2
"""Factor of supersampling, for smooth lines."""


def skeletons(frames: Frames, predicted: Tensor) -> bytes:
    """Draw 12 frames, evenly spaced over the split, as a PNG.

    The true joints are thin on black, the predicted ones bold.

    Of the true ones only those are shown that are scored.

    Args:
        frames: of a split.
        predicted: (N, 9, 2) pixels of the frames.

    Raises:
        DataError: when a video does not decode.
    """
    count = min(ROWS * COLUMNS, len(frames))
    chosen = torch.linspace(0, len(frames) - 1, count).round().long()
    rows = -(-count // COLUMNS)
    width = COLUMNS * (CELL + MARGIN) + MARGIN
    height = rows * (CELL + MARGIN + CAPTION) + MARGIN + CAPTION
    sheet = Image.new("RGB", (FINE * width, FINE * height), "white")
    draw = ImageDraw.Draw(sheet)
    lettering = Lettering(FINE * 11)
    legend = "thin on black: true. bold: predicted. the person's left side orange, right side blue, across it yellow"
    lettering.write(draw, (FINE * MARGIN, FINE * (MARGIN + 6)), legend)
    truth, shares = frames.to_shares(frames.truth), frames.to_shares(predicted)
    for place, index in enumerate(chosen.tolist()):
        left = MARGIN + place % COLUMNS * (CELL + MARGIN)
        top = MARGIN + CAPTION + place // COLUMNS * (CELL + MARGIN + CAPTION)
        sheet.paste(_picture(frames, index, truth[index], shares[index]), (FINE * left, FINE * top))
        title = f"{printable(frames.split.videos[int(frames.videos[index])].id)}, frame {int(frames.numbers[index])}"
        while lettering.width(title) > FINE * CELL:
            title = title[:-2] + "…"
        lettering.write(draw, (FINE * left, FINE * (top + CELL + 7)), title)
    png = io.BytesIO()
    small = sheet.resize((width, height), Image.Resampling.BOX)
    # A quarter of the bytes; an octree, because a median cut would turn a few yellow pixels among many into orange.
    small.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(png, "PNG", optimize=True)
    return png.getvalue()


def _picture(frames: Frames, index: int, truth: Tensor, predicted: Tensor) -> Image.Image:
    (square,) = squares(frames, torch.tensor([index]), FINE * CELL, torch.Tensor.float)
    picture = Image.fromarray(square.round().clamp(0, 255).byte().permute(1, 2, 0).numpy())
    draw = ImageDraw.Draw(picture)
    for points, width, colour in ((predicted, 6, None), (truth, 3, "black"), (truth, 1, None)):
        places = [(x, y) for x, y in (points * FINE * CELL).tolist()]
        for one, other, side in BONES:
            if places[one] == places[one] and places[other] == places[other]:
                draw.line([places[one], places[other]], fill=colour or side, width=FINE * width)
        if places[NOSE] == places[NOSE]:
            (x, y), radius = places[NOSE], FINE * (1 + width / 2)
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour or MIDDLE)
    return picture
