"""Views of a split, on squares in memory."""

from __future__ import annotations

from dataclasses import replace

import torch

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.split_views import FrameImages, Relabelled, Subset
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


def test_sets_of_classes_and_targets_go_with_the_videos_and_are_hidden():
    squares = MovingSquares().split("train")
    videos = tuple(
        replace(video, multilabels={"objects": (0,) * (place % 2)}, targets={"age": float(place)})
        for place, video in enumerate(squares.videos)
    )
    whole = replace(squares, videos=videos, multilabel_classes={"objects": ("cup",)})
    images = FrameImages.evenly(whole, 2)
    for part, places in ((Subset(whole, [7, 4]), [7, 4]), (images, images.sources)):
        assert [video.targets["age"] for video in part.videos] == places
        assert [len(video.multilabels["objects"]) for video in part.videos] == [place % 2 for place in places]
        assert part.multilabel_classes == {"objects": ("cup",)}
        bare = part.unlabelled()
        assert not any(video.multilabels or video.targets for video in bare.videos)
        assert not bare.multilabel_classes
    joined = ConcatenatedSplit(whole)
    assert (joined.videos[0].multilabels, joined.videos[0].targets, joined.multilabel_classes) == ({}, {}, {})
    labelled = Relabelled(whole, {"scene": dict.fromkeys(ids(whole), 0)}, {"scene": ("gym",)})
    assert labelled.videos[7].multilabels == {"objects": (0,)}
    assert labelled.multilabel_classes == {"objects": ("cup",)}
    assert Subset(whole, [7, 3]).manifest != Subset(squares, [7, 3]).manifest
    assert whole.unlabelled().manifest == squares.unlabelled().manifest


def test_what_is_made_of_videos_has_a_content_of_its_own():
    whole = MovingSquares().split("train")
    images = FrameImages.evenly(whole, 2)
    contents = [video.content for split in (whole, images, ConcatenatedSplit(whole)) for video in split.videos]
    assert len(set(contents)) == 3 * len(whole) + 1
