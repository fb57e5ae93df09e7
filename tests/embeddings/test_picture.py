"""The picture has each thumbnail at its place, in the colour of its class."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from scipy.spatial.distance import pdist
from skimage.color import rgb2lab

from harness.embeddings.scatter import MARGIN, TITLE, WIDTH, cell_side, colours, scatter_plot

CORNERS = np.array([[-1, 1], [1, 1], [-1, -1], [1, -1], [0, 0]], dtype=np.float32)
"""Above left, above right, below left, below right, in the middle."""


def drawn(labels=(0, 1, 2, 0, 1), classes=("walk", "run", "jump", "swim"), title="sfa"):
    grey = np.zeros((5, 96, 96, 3), dtype=np.uint8) + np.arange(40, 240, 40, dtype=np.uint8)[:, None, None, None]
    return np.asarray(Image.open(io.BytesIO(scatter_plot(grey, CORNERS, labels, classes, title))).convert("RGB"))


def test_thumbnails_are_at_their_places_bordered_by_class():
    found, colour = drawn(), colours(4)
    side = cell_side(5)
    used = WIDTH // side * side
    left, top = MARGIN + (WIDTH - used) // 2, MARGIN + TITLE + (WIDTH - used) // 2
    last, middle = used - side, (WIDTH // side - 1) // 2 * side
    cells = [(0, 0), (last, 0), (0, last), (last, last), (middle, middle)]
    for point, (label, (x, y)) in enumerate(zip((0, 1, 2, 0, 1), cells, strict=True)):
        cell = found[top + y : top + y + side, left + x : left + x + side]
        assert cell[side // 2, side // 2].tolist() == [40 * (point + 1)] * 3
        assert cell[1, side // 2].tolist() == cell[side // 2, 1].tolist() == list(colour[label])


def test_elsewhere_the_map_is_white():
    map_ = drawn()[MARGIN + TITLE : MARGIN + TITLE + WIDTH, MARGIN : MARGIN + WIDTH]
    assert (map_ != 255).any(2).mean() == pytest.approx(5 * 94**2 / WIDTH**2, rel=0.01)


def test_the_legend_has_the_classes_that_are_there():
    legend = drawn()[:, MARGIN + WIDTH + 1 :]
    here = {tuple(colour) for colour in np.unique(legend.reshape(-1, 3), axis=0).tolist()}
    assert [colour in here for colour in colours(4)] == [True, True, True, False]


def test_a_hundred_classes_get_columns():
    labels = list(range(100))
    grey = np.full((100, 96, 96, 3), 128, dtype=np.uint8)
    places = np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32)
    image = Image.open(io.BytesIO(scatter_plot(grey, places, labels, [f"c{n}" for n in labels], "t")))
    assert image.height == len(drawn()) == WIDTH + TITLE + 2 * MARGIN
    legend = np.asarray(image.convert("RGB"))[:, MARGIN + WIDTH + 1 :]
    here = set(map(tuple, np.unique(legend.reshape(-1, 3), axis=0).tolist()))
    assert set(colours(100)) <= here


def test_the_title_is_written():
    assert not np.array_equal(drawn(title="sfa"), drawn(title="quadruplet"))


@pytest.mark.parametrize(("count", "apart"), [(2, 80), (8, 50), (15, 30), (101, 8)])
def test_colours_are_told_apart(count, apart):
    found = colours(count)
    assert len(found) == count
    lab = rgb2lab(np.array(found, dtype=np.uint8)[None])[0]
    assert pdist(lab).min() > apart
    assert found == colours(count + 3)[:count]


def test_thumbnails_never_need_more_cells_than_there_are():
    for count in (5, 100, 1000, 9999, 10_000):
        assert (WIDTH // cell_side(count)) ** 2 >= 2 * count
        assert cell_side(count) >= 12
