"""Scatter plots of frames: a grid cell for each, its colour, its thumbnail and the legend."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.distance import pdist
from skimage.color import rgb2lab

from harness.datasets.split_views import FrameImages, Subset
from harness.embeddings.scatter import (
    MARGIN,
    SIDE,
    TITLE,
    WIDTH,
    assign_cells,
    cell_side,
    colours,
    scatter_plot,
    thumbnails,
)
from harness.testing import MovingSquares
from harness.values import Video


@given(st.lists(st.tuples(*[st.floats(-1e3, 1e3, width=32)] * 2), min_size=1, max_size=36))
@settings(max_examples=50, deadline=None)
def test_no_two_places_share_a_cell(places):
    found = assign_cells(np.array(places, dtype=np.float32), 6)
    assert len(np.unique(found, axis=0)) == len(places)
    assert (found >= 0).all()
    assert (found < 6).all()


def test_places_apart_get_their_nearest_cells_with_up_being_up():
    corners = np.array([[-3, -3], [-3, 5], [5, -3], [5, 5], [1, 1]], dtype=np.float32)
    assert assign_cells(corners, 9).tolist() == [[0, 8], [0, 0], [8, 8], [8, 0], [4, 4]]


def test_proportions_are_kept():
    wide = np.array([[0, 0], [8, 0], [4, 2], [4, 0]], dtype=np.float32)
    assert assign_cells(wide, 9).tolist() == [[0, 5], [8, 5], [4, 3], [4, 5]]


@pytest.mark.parametrize("count", [1, 9, 25])
def test_places_that_are_all_the_same_fill_the_middle(count):
    found = assign_cells(np.zeros((count, 2), dtype=np.float32), 9)
    side = int(count**0.5)
    assert np.abs(found - 4).max() <= max(side // 2 + (count == 25), 0)
    assert len(np.unique(found, axis=0)) == count


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


class Bars:
    """Videos 80 pixels high and 160 wide: red, then green from 40 to 120, then red; blue tells frame and video."""

    def __init__(self):
        self.videos = [Video(str(n), path=None, frames=4, fps=1.0, width=160, height=80) for n in range(2)]
        self.reads = []

    def __len__(self):
        return len(self.videos)

    def read(self, index, frames=None, *, short_side=None):
        self.reads.append((index, list(frames)))
        clip = torch.zeros(len(frames), 80, 160, 3, dtype=torch.uint8)
        clip[..., 0] = 255
        clip[:, :, 40:120] = torch.tensor([0, 255, 0], dtype=torch.uint8)
        clip[..., 2] = torch.tensor([50 * index + 10 * frame for frame in frames])[:, None, None]
        return clip


def test_only_the_middle_is_seen_of_the_frame_asked_for():
    found = thumbnails(Bars(), [1, 3])
    assert found.shape == (2, SIDE, SIDE, 3)
    assert found.dtype == np.uint8
    assert (found[..., :2] == [0, 255]).all()
    assert found[:, 0, 0, 2].tolist() == [10, 80]


def test_points_of_one_video_are_read_at_once():
    bars = Bars()
    found = thumbnails(Subset(bars, [0, 0, 0, 1]), [3, 0, 2, 1])
    assert bars.reads == [(0, [3, 0, 2]), (1, [1])]
    assert found[:, 0, 0, 2].tolist() == [30, 0, 20, 60]


def test_small_frames_are_enlarged():
    split = MovingSquares().split("test")
    found = thumbnails(split, [12] * len(split))
    whole = split.read(3, [12])[0, :, 8:56].numpy()
    assert np.abs(found[3].mean((0, 1)) - whole.mean((0, 1))).max() < 3


def test_frames_that_are_points_of_their_own():
    split = MovingSquares().split("test")
    found = thumbnails(FrameImages.every(split, 6), [0] * 4 * len(split))
    assert np.array_equal(found[4:8], thumbnails(Subset(split, [1] * 4), [0, 6, 12, 18]))
