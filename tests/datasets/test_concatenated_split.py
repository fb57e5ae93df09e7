"""All videos of a split as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.split_views import Subset
from harness.errors import DataError
from harness.testing.fixtures import MovingSquares
from harness.values import Box
from harness.video.anonymous import hidden_order


def test_flow_of_videos_joined_to_one():
    whole = MovingSquares().split("train")
    two = Subset(whole, [7, 3])
    joined = ConcatenatedSplit(two)
    first, second = hidden_order(two.videos)
    moved = joined.flow(0, [24 + 5, 3, 24 + 5], short_side=32)
    assert torch.equal(moved[[1]], two.flow(first, [3], short_side=32))
    assert torch.equal(moved[[0, 2]], two.flow(second, [5, 5], short_side=32))
    with pytest.raises(DataError, match="no flow from frames"):
        joined.flow(0, [23], short_side=32)
    with pytest.raises(IndexError, match="has frames 0 to 47"):
        joined.flow(0, [48], short_side=32)


def test_frames_of_another_size_are_brought_to_the_first_ones():
    whole = MovingSquares().split("train")
    small = replace(whole, frames=tuple(frames[:, ::2, ::2] for frames in whole.frames))
    videos = tuple(replace(video, width=32, height=24) for video in small.videos)
    first, second = hidden_order(whole.videos)[:2]
    mixed = replace(
        whole,
        videos=(videos[second], whole.videos[first]),
        frames=(small.frames[second], whole.frames[first]),
    )
    joined = ConcatenatedSplit(mixed)
    assert joined.read(0, [23, 24]).shape == (2, 48, 64, 3)
    assert torch.equal(joined.read(0, [23])[0], whole.frames[first][23])


def test_other_parts_of_the_same_pictures_are_other_content():
    whole = MovingSquares().split("train")
    contents = set()
    for left in (0, 8):
        box = Box(left, 0, left + 16, 16)
        parts = replace(whole, videos=tuple(replace(video, box=box) for video in whole.videos))
        contents.add(ConcatenatedSplit(Subset(parts, [0])).videos[0].content)
    assert len(contents) == 2
