"""Images of plots: reproducible, in the colours of the style."""

from __future__ import annotations

import cv2
import numpy as np

from harness.leaderboard.charts import heading, png
from harness.leaderboard.plots import board_plot
from harness.leaderboard.text import TITLE


def test_an_image_has_the_colours_of_methods_and_references(board):
    specification = board_plot(board)
    image = png(specification)
    assert image == png(specification)
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    colours = {tuple(colour) for colour in pixels.reshape(-1, 3).tolist()}
    assert {(0xFF, 0xFF, 0xFF), (0xB2, 0x72, 0x00), (0x00, 0x5E, 0xD5)} <= colours
    assert pixels.shape[1] > 1000


def test_a_title_from_outside_makes_no_wide_plot_and_no_other_characters():
    title = heading("T\x1b[31m\x07\ud800" + "t" * 20_000).to_dict()["text"]
    assert len(title) == TITLE
    assert title.startswith(r"T\x1b[31m\x07\ud800ttt")
    assert title.endswith("t…")
