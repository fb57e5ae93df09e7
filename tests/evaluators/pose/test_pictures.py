"""The picture shows people where they are, in colours that can be told apart."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageColor

from harness.evaluators.pose.frames import Frames
from harness.evaluators.pose.pictures import CAPTION, CELL, LEFT, MARGIN, MIDDLE, RIGHT, skeletons
from harness.testing import MemorySplit
from harness.values import Video

UPRIGHT = torch.tensor(
    [[30, 8], [38, 16], [22, 16], [46, 22], [14, 22], [50, 30], [10, 30], [36, 36], [24, 36]]
).double()


def people(n, truth=UPRIGHT):
    """One frame of each of `n` grey videos, 60 x 60 pixels, all of them in the square."""
    frames = [torch.full((1, 60, 60, 3), 128, dtype=torch.uint8)] * n
    listed = [Video(f"v_{'long' * 12}_{index}", Path("x.avi"), 1, 12.0, 60, 60) for index in range(n)]
    return Frames(
        split=MemorySplit("test", tuple(listed), tuple(frames), {}),
        videos=torch.arange(n),
        numbers=torch.zeros(n, dtype=torch.int64),
        joints=truth.expand(n, 9, 2),
        scored=~truth.isnan().any(1).expand(n, 9),
        corners=torch.full((n, 2), -0.5).double(),
        sides=torch.full((n,), 60.0).double(),
        skipped=0,
    )


def drawn(frames, predicted):
    return np.asarray(Image.open(io.BytesIO(skeletons(frames, predicted.expand(len(frames), 9, 2)))).convert("RGB"))


def has(part, colour, tolerance=24):
    return bool((np.abs(part.astype(int) - ImageColor.getrgb(colour)).max(-1) <= tolerance).any())


def around(picture, point, reach=3):
    """The pixels of the first person around a place in the frame."""
    x, y = (
        round(start + (place + 0.5) * CELL / 60) for start, place in zip((MARGIN, MARGIN + CAPTION), point, strict=True)
    )
    return picture[y - reach : y + reach + 1, x - reach : x + reach + 1]


def test_twelve_people_and_no_more():
    for n, size in ((1, (1, 4)), (4, (1, 4)), (5, (2, 4)), (12, (3, 4)), (40, (3, 4))):
        picture = drawn(people(n), UPRIGHT)
        rows, columns = size
        assert picture.shape[0] == rows * (CELL + MARGIN + CAPTION) + MARGIN + CAPTION
        assert picture.shape[1] == columns * (CELL + MARGIN) + MARGIN


def test_predicted_limbs_are_where_they_were_predicted_in_the_colour_of_their_side():
    hidden = torch.full((9, 2), torch.nan).double()
    picture = drawn(people(1, hidden), UPRIGHT)
    for joints, colour in (((1, 3), LEFT), ((3, 5), LEFT), ((2, 4), RIGHT), ((4, 6), RIGHT), ((1, 2), MIDDLE)):
        middle = UPRIGHT[list(joints)].mean(0).tolist()
        assert has(around(picture, middle, 1), colour), joints
        assert not has(around(picture, middle, 1), "black")
    assert has(around(picture, UPRIGHT[0].tolist(), 1), MIDDLE)


def test_true_limbs_are_thin_on_black():
    picture = drawn(people(1), torch.full((9, 2), torch.nan).double())
    middle = UPRIGHT[[4, 6]].mean(0).tolist()
    assert has(around(picture, middle), "black", 60)
    assert has(around(picture, middle), RIGHT, 60)


def test_a_person_elsewhere_gives_another_picture():
    assert not np.array_equal(drawn(people(1), UPRIGHT), drawn(people(1), UPRIGHT + 5))
