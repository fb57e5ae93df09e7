"""Views of a split, on squares in memory."""

from __future__ import annotations

import torch

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.split_views import FrameImages, Subset
from harness.testing.fixtures import MovingSquares
from harness.video.anonymous import hidden_order


def ids(split):
    return [video.id for video in split.videos]


def test_a_subset_is_a_split_of_its_videos():
    whole = MovingSquares().split("train")
    part = Subset(whole, [7, 3])
    assert ids(part) == ["train-07", "train-03"]
    assert (len(part), part.name, part.labelled, part.classes) == (2, "train", True, whole.classes)
    assert torch.equal(part.read(1, [4, 0], short_side=32), whole.read(3, [4, 0], short_side=32))
    assert torch.equal(part.flow(1, [4, 0], short_side=32), whole.flow(3, [4, 0], short_side=32))
    assert len({part.manifest, Subset(whole, [3, 7]).manifest, whole.manifest}) == 3
    bare = part.unlabelled()
    assert [dict(video.labels) for video in bare.videos] == [{}, {}]
    assert (bare.labelled, dict(bare.classes)) == (False, {})
    assert set(ids(bare)) == {
        ids(whole.unlabelled())[hidden_order(whole.videos).index(position)] for position in (7, 3)
    }


def test_what_is_made_of_videos_has_a_content_of_its_own():
    whole = MovingSquares().split("train")
    images = FrameImages.evenly(whole, 2)
    contents = [video.content for split in (whole, images, ConcatenatedSplit(whole)) for video in split.videos]
    assert len(set(contents)) == 3 * len(whole) + 1
