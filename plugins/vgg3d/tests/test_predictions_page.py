"""Page of the likeliest classes: the videos it chooses, its bars and its colours."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from harness.evaluators.pictures import COLOUR
from harness.pictures.sheet import MARGIN
from harness.testing import MovingSquares
from harness_vgg3d.predictions_page import (
    BARS,
    HEIGHT,
    OTHER,
    SPACE,
    TRUE,
    VIDEOS,
    _bars,
    choose_videos,
    predictions_page,
)

NAMES = [f"name {number}" for number in range(7)]


class TestChoice:
    def test_half_are_right_and_stand_first_and_all_are_of_different_classes(self):
        labels = torch.arange(10).repeat(20)
        right = torch.arange(200) % 3 == 0
        for seed in range(20):
            chosen = choose_videos(right, labels, seed=seed)
            assert right[chosen].tolist() == [True] * 4 + [False] * 4
            assert len(set(labels[chosen].tolist())) == VIDEOS

    def test_where_one_kind_is_rare_there_are_more_of_the_other(self):
        labels = torch.arange(10).repeat(20)
        for wrong, expected in ((0, 8), (1, 7), (4, 4), (198, 2), (200, 0)):
            right = torch.ones(200, dtype=torch.bool)
            right[torch.randperm(200)[:wrong]] = False
            chosen = choose_videos(right, labels, seed=1)
            assert right[chosen].tolist() == [True] * expected + [False] * (VIDEOS - expected)

    def test_where_classes_are_few_each_is_shown_as_often(self):
        labels, right = torch.arange(4).repeat(10), torch.arange(40) < 20
        chosen = choose_videos(right, labels, seed=0)
        assert labels[chosen].bincount().tolist() == [2, 2, 2, 2]
        assert len(set(chosen)) == VIDEOS

    def test_all_are_shown_where_there_are_few(self):
        chosen = choose_videos(torch.tensor([False, True, False]), torch.tensor([0, 0, 0]), seed=0)
        assert chosen[0] == 1
        assert sorted(chosen) == [0, 1, 2]

    def test_it_is_the_seeds(self):
        labels, right = torch.arange(10).repeat(20), torch.arange(200) % 2 == 0
        one, same, other = (choose_videos(right, labels, seed=seed) for seed in (0, 0, 1))
        assert one == same != other


class TestBars:
    def test_lengths_are_the_probabilities_and_colours_tell_true_from_wrong(self):
        probabilities = [0.5, 0.3, 0.1, 0.06, 0.04]
        picture = _bars(NAMES, [6, 2, 0, 3, 4], probabilities, true=2)
        assert picture.shape[0] == HEIGHT
        step = (HEIGHT - 2 * SPACE) / 5
        for place, (share, colour) in enumerate(zip(probabilities, [COLOUR, TRUE, OTHER, OTHER, OTHER], strict=True)):
            line = picture[int(SPACE + (place + 0.75) * step)]  # below the letters' middle, still within the bar
            filled = (line == colour).all(1)
            run = np.flatnonzero(filled)
            longest = max(len(part) for part in np.split(run, np.flatnonzero(np.diff(run) > 1) + 1))
            assert longest == pytest.approx(BARS * share, abs=2)

    def test_the_true_class_in_the_first_place_is_no_error(self):
        picture = _bars(NAMES, [1, 2, 0, 3, 4], [0.4, 0.3, 0.2, 0.1, 0.0], true=1)
        colours = {tuple(colour) for colour in picture.reshape(-1, 3).tolist()}
        assert TRUE in colours
        assert COLOUR not in colours

    def test_nothing_is_cut_off_where_a_class_is_certain(self):
        picture = _bars(NAMES, [1, 2, 0, 3, 4], [1.0, 0.0, 0.0, 0.0, 0.0], true=1)
        assert (picture[:, -3:] == 255).all()
        assert not (picture[:, -12:] == 255).all()


class Watched:
    """Split that tells which frames are read."""

    def __init__(self, split):
        self.split, self.videos, self.reads = split, split.videos, []

    def read(self, index, frames, *, short_side):
        self.reads.append((index, *frames))
        return self.split.read(index, frames, short_side=short_side)


def page(split, classes=4, **changes):
    count = len(split.videos)
    random = torch.Generator().manual_seed(0)
    probabilities = torch.rand(count, classes, generator=random, dtype=torch.float64).softmax(1)
    labels = torch.arange(count) % classes
    names = [f"name {number}" for number in range(classes)]
    return predictions_page(split, probabilities, labels, names, **{"seed": 0, **changes})


def test_a_row_for_each_video_with_a_frame_from_its_middle():
    split = Watched(MovingSquares().split("test"))
    picture = Image.open(io.BytesIO(page(split)))
    assert picture.format == "PNG"
    assert picture.height == VIDEOS * (HEIGHT + MARGIN) + MARGIN
    assert len({video for video, _ in split.reads}) == VIDEOS
    assert {frame for _, frame in split.reads} == {12}


def test_more_than_five_classes_show_five_bars_and_fewer_show_all():
    split = MovingSquares().split("test")
    for classes, shown in ((3, 3), (9, 5)):
        picture = np.asarray(Image.open(io.BytesIO(page(split, classes))).convert("RGB")).astype(int)
        bars = (np.abs(picture - OTHER).sum(2) < 24) | (np.abs(picture - COLOUR).sum(2) < 24)
        bars |= np.abs(picture - TRUE).sum(2) < 24
        edge = bars[:, np.argmax(bars.sum(0))].astype(int)  # all bars begin there
        assert int((np.diff(edge) == 1).sum()) == shown * VIDEOS


def test_bars_stand_below_each_other_whatever_the_frames():
    """Upright videos take less room than wide ones."""
    split = MovingSquares().split("test")
    frames = tuple(video.transpose(1, 2) if index % 2 else video for index, video in enumerate(split.frames))
    wide, mixed = (Image.open(io.BytesIO(page(one))) for one in (split, replace(split, frames=frames)))
    assert mixed.size == wide.size
    lines = (np.asarray(one.convert("L"))[:, -BARS - 20 :] for one in (wide, mixed))
    one, other = lines
    assert np.abs(one.astype(int) - other).mean() < 3


def test_the_page_is_the_same_for_the_same_seed():
    split = MovingSquares().split("test")
    one, same, other = (page(split, seed=seed) for seed in (0, 0, 1))
    assert one == same != other


def test_long_names_with_line_breaks_stay_in_one_line():
    split = MovingSquares().split("test")
    probabilities = torch.full((32, 4), 0.25)
    names = ["a very\nlong name of a class that goes on", "b", "c", "d"]
    content = predictions_page(split, probabilities, torch.arange(32) % 4, names, seed=0)
    assert Image.open(io.BytesIO(content)).width < 900
