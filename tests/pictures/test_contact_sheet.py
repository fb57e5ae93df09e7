"""The picture of a split."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.datasets.splits import ArraySplit, describe_images
from harness.pictures.contact_sheet import contact_sheet
from harness.pictures.sheet import MARGIN
from harness.testing import MovingSquares
from harness.video.anonymous import hidden_order

SIDE = 16


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def images(labels, kind="action"):
    """One-coloured images, image i of the colour (10 i, 0, 200)."""
    colours = np.array([(10 * number, 0, 200) for number in range(len(labels))], np.uint8)
    pictures = np.tile(colours[:, None, None], (1, SIDE, SIDE, 1))
    videos = describe_images(Path("batch"), pictures, {kind: labels}, prefix="test")
    return ArraySplit("test", videos, pictures, {kind: ("cat", "dog", "emu")})


def reds(png, row, columns):
    """The red of the middle of each image of a row, from the right."""
    picture = pixels(png)
    y = MARGIN + row * (SIDE + MARGIN) + SIDE // 2
    ends = [picture.shape[1] - MARGIN - (SIDE + MARGIN) * column - SIDE // 2 for column in range(columns)]
    return [int(picture[y, x, 0]) for x in reversed(ends)]


def test_a_row_for_each_class_and_the_same_bytes_again():
    split = MovingSquares().split("test")
    png = contact_sheet(split, columns=5, height=48)
    assert png == contact_sheet(split, columns=5, height=48)
    picture = pixels(png)
    assert picture.shape[0] == 4 * (48 + 4) + 4
    assert picture.shape[1] > 5 * 64
    frame = picture[4:52, -68:-4]  # the last frame of the first row, which is of class 0 (left)
    original = split.read(next(i for i, v in enumerate(split.videos) if v.labels["action"] == 0), [23])[0].numpy()
    assert np.abs(frame - original).mean() < 12  # 256 colours for all


def test_describe_images_a_class_are_different_ones_spread_over_it():
    png = contact_sheet(images([0, 1] * 9), columns=5, height=SIDE)
    assert pixels(png).shape[0] == 2 * (SIDE + MARGIN) + MARGIN  # no row for the class that nobody has
    assert reds(png, 0, 5) == [0, 40, 80, 120, 160]
    assert reds(png, 1, 5) == [10, 50, 90, 130, 170]


def test_fewer_images_than_columns_are_shown_once_each():
    png = contact_sheet(images([0, 2, 0, 0]), columns=7, height=SIDE)
    assert reds(png, 0, 3) == [0, 20, 30]


@pytest.mark.parametrize("split", [images([0, 1] * 9).unlabelled(), MovingSquares().split("test").unlabelled()])
def test_one_row_where_nothing_is_labelled(split):
    png = contact_sheet(split, columns=4, height=SIDE)
    assert pixels(png).shape[0] == SIDE + 2 * MARGIN


def test_unlabelled_images_are_spread_over_the_split():
    split = images([0] * 22)
    png = contact_sheet(split.unlabelled(), columns=4, height=SIDE)
    assert reds(png, 0, 4) == [10 * hidden_order(split.videos)[index] for index in (0, 7, 14, 21)]


def test_without_actions_the_first_kind_has_a_row_for_each_class():
    labels = [0, 1, 2] * 6
    assert contact_sheet(images(labels, "gesture")) == contact_sheet(images(labels))


def test_a_label_that_is_not_there():
    with pytest.raises(KeyError, match="scene"):
        contact_sheet(MovingSquares().split("test"), label="scene")
