"""Some videos of a split, as a split."""

from __future__ import annotations

import torch

from harness.datasets.split_views import Part
from harness.testing.fixtures import MovingSquares


def test_a_part_is_a_split_of_its_videos():
    whole = MovingSquares().split("train")
    part = Part(whole, [7, 3])
    assert [video.id for video in part.videos] == ["train-07", "train-03"]
    assert (len(part), part.name, part.labelled, part.classes) == (2, "train", True, whole.classes)
    assert torch.equal(part.read(1, [4, 0], short_side=32), whole.read(3, [4, 0], short_side=32))
    assert len({part.manifest, Part(whole, [3, 7]).manifest, whole.manifest}) == 3


def test_a_part_without_labels():
    part = Part(MovingSquares().split("train"), [7, 3]).unlabelled()
    assert [dict(video.labels) for video in part.videos] == [{}, {}]
    assert (part.labelled, dict(part.classes)) == (False, {})
