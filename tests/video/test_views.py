"""What protocols show of a test video: crops counted by hand, starts by formula."""

from __future__ import annotations

import dataclasses
import importlib

import numpy as np
import pytest
import torch

from harness.backbones import _torchvision
from harness.cards import View
from harness.testing.fixtures import MovingSquares
from harness.video.loader import batches, shown, starts, video_clips
from harness.video.sampling import random_clips
from harness.video.transforms import crops

VIEW = View(frames=4, stride=2, size=32)  # a clip spans 7 of the 24 frames
NO_CHANCE = torch.Generator()


def test_ten_crops_equal_torchvisions():
    _torchvision.models()
    functional = importlib.import_module("torchvision.transforms.v2.functional")
    clips = torch.randint(256, (2, 3, 4, 20, 30), dtype=torch.uint8)
    theirs = torch.stack(functional.ten_crop(clips, [16, 16]), dim=1)  # mirrors first, so left and right change places
    assert torch.equal(crops(clips, 16, 10), theirs[:, [0, 1, 2, 3, 4, 6, 5, 8, 7, 9]])


def test_crops_larger_than_the_frame():
    with pytest.raises(ValueError, match="cannot crop 33 pixels from frames of 40 x 32"):
        crops(torch.zeros(1, 3, 1, 40, 32), 33, 10)


@pytest.mark.parametrize("n", [1, 2, 24, 25, 26, 173, 300])
def test_twenty_five_frames_are_those_of_linspace(n):
    frames = starts(n, View(frames=1, size=8), "25x10", NO_CHANCE)
    assert frames.tolist() == np.round(np.linspace(0, n - 1, 25)).astype(int).tolist()


@pytest.mark.parametrize(("n", "expected"), [(24, [0, 7, 14]), (21, [0, 7, 14]), (20, [0, 7]), (7, [0]), (3, [0])])
def test_windows_follow_each_other_and_fit(n, expected):
    assert starts(n, VIEW, "sliding", NO_CHANCE).tolist() == expected


def test_random_clips_lie_inside_and_each_video_has_its_own():
    drawn = [starts(24, VIEW, "random5", torch.Generator().manual_seed(seed)) for seed in range(200)]
    assert torch.cat(drawn).unique().tolist() == list(range(18))  # 24 - 7 + 1 places
    again = random_clips(torch.full((5,), 24), 4, 2, torch.Generator().manual_seed(7))
    assert drawn[7].tolist() == again[:, 0].tolist()
    split = MovingSquares().split("test")
    same = dataclasses.replace(split, videos=split.videos[:1] * 2, frames=split.frames[:1] * 2)
    first, second, other = (shown(same, i, VIEW, "random5", seed=s) for i, s in ((0, 3), (1, 3), (0, 4)))
    assert torch.equal(first, shown(same, 0, VIEW, "random5", seed=3))
    assert not torch.equal(first, second)
    assert not torch.equal(first, other)


def test_the_views_own_clips_are_the_loaders():
    split, view = MovingSquares().split("test"), dataclasses.replace(VIEW, clips=2, crops=3)
    assert torch.equal(shown(split, 5, view, "view", seed=0), video_clips(split, 5, view))


def test_every_one_of_250_views():
    split = MovingSquares().split("test")
    found = shown(split, 3, VIEW, "25x10", seed=0)
    assert found.shape == (250, 3, 4, 32, 32)
    frames = split.read(3, short_side=37)  # 8/7 of 32
    assert frames.shape[1:3] == (37, 49)
    for i, start in enumerate(np.round(np.linspace(0, 24 - 7, 25)).astype(int)):
        clip = frames[start : start + 7 : 2].permute(3, 0, 1, 2)
        places = [(0, 0), (0, 17), (5, 0), (5, 17), (2, 8)]
        five = [clip[..., y : y + 32, x : x + 32] for y, x in places]
        for j, crop in enumerate([*five, *(crop.flip(-1) for crop in five)]):
            assert torch.equal(found[10 * i + j], crop)


def test_windows_show_the_centre_of_consecutive_frames():
    split = MovingSquares().split("test")
    clip = split.read(0, [14, 16, 18, 20], short_side=32).permute(3, 0, 1, 2)[None]
    assert torch.equal(shown(split, 0, VIEW, "sliding", seed=0)[2:], crops(clip, 32, 1)[:, 0])


@pytest.mark.parametrize(
    ("views", "count"), [("view", 1), ("random5", 5), ("sliding", 1), ("dense", 1), ("25x10", 250)]
)
def test_a_video_shorter_than_a_clip_is_looped(views, count):
    split = MovingSquares().split("test")
    short = dataclasses.replace(
        split,
        videos=(dataclasses.replace(split.videos[0], frames=3),),
        frames=(split.frames[0][:3],),
    )
    found = shown(short, 0, VIEW, views, seed=0)
    assert found.shape == (count, 3, 4, 32, 32)
    assert torch.equal(found[:, :, 0], found[:, :, 3])  # frames 0, 2, 1, 0 of the three, whatever the start


@pytest.mark.parametrize("views", ["view", "random5", "25x10", "sliding", "dense"])
def test_batches_hold_what_is_shown_of_each_video(views):
    whole = MovingSquares().split("test")
    split = dataclasses.replace(whole, videos=whole.videos[:5], frames=whole.frames[:5])
    parts = list(batches(split, VIEW, views, seed=1, batch_size=7))
    assert all(len(videos) == len(clips) == 7 for videos, clips in parts[:-1])
    videos, clips = (torch.cat(part) for part in zip(*parts, strict=True))
    expected = [shown(split, i, VIEW, views, seed=1) for i in range(5)]
    assert torch.equal(clips, torch.cat(expected))
    assert videos.tolist() == [i for i, each in enumerate(expected) for _ in each]


def test_the_view_itself_has_no_starts():
    with pytest.raises(ValueError, match="those of the view itself"):
        starts(24, VIEW, "view", NO_CHANCE)
