"""The picture of a split."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from harness.testing import MovingSquares
from harness.video.contact_sheet import contact_sheet


def test_a_row_for_each_class_and_the_same_bytes_again():
    split = MovingSquares().split("test")
    png = contact_sheet(split, columns=5, height=48)
    assert png == contact_sheet(split, columns=5, height=48)
    picture = np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)
    assert picture.shape[0] == 4 * (48 + 4) + 4
    assert picture.shape[1] > 5 * 64
    frame = picture[4:52, -68:-4]  # the last frame of the first row, which is of class 0 (left)
    original = split.read(next(i for i, v in enumerate(split.videos) if v.labels["action"] == 0), [23])[0].numpy()
    assert np.abs(frame - original).mean() < 12  # 256 colours for all


def test_a_label_that_is_not_there():
    with pytest.raises(KeyError, match="scene"):
        contact_sheet(MovingSquares().split("test"), label="scene")
