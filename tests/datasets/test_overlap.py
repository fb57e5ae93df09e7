"""What two splits share, and which classes one of them lacks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.overlap import Overlap, absent_classes, overlap
from harness.datasets.split_views import FrameImages, Limited, Relabelled, Subset
from harness.datasets.union import UnionSplit
from harness.testing import MemorySplit, MovingSquares
from harness.values import Box

TRAIN, TEST = (MovingSquares().split(name) for name in ("train", "test"))
pytestmark = pytest.mark.usefixtures("home")


@pytest.fixture
def with_train_videos(textured):
    """Make the test split with videos of train at its end, the n-th by its changes."""
    train, test = textured

    def changed(*changes):
        taken = [replace(train.videos[7 + n], id=f"taken-{n}", **change) for n, change in enumerate(changes)]
        frames = tuple(train.frames[7 + n] for n in range(len(changes)))
        return train, MemorySplit("test", (*test.videos, *taken), test.frames + frames, test.classes)

    return changed


def test_equal_files_and_similar_pictures(with_train_videos):
    train, test = with_train_videos({}, {"content": "encoded again"}, {"content": ""})
    shared = overlap(train, test)
    assert shared.equal == {32: 7}
    assert shared.similar == {33: 8, 34: 9}
    assert overlap(train, Subset(test, range(32))) == Overlap()


def test_another_part_of_the_picture_is_another_video(with_train_videos):
    train, test = with_train_videos({"box": Box(0, 0, 64, 48)})
    assert overlap(train, test).equal == {}


def test_videos_joined_to_one_are_looked_at_one_by_one(with_train_videos):
    train, test = with_train_videos({}, {})
    joined = ConcatenatedSplit(train)
    assert len(joined) == 1
    assert set(overlap(joined, test).equal) == {32, 33}


def test_videos_of_a_union_that_are_joined_or_images_are_looked_at_one_by_one(with_train_videos):
    train, test = with_train_videos({}, {"content": "encoded again"})
    union = UnionSplit(
        "train", [ConcatenatedSplit(Subset(train, range(20)).unlabelled()), Subset(train, range(20, 32))]
    )
    shared = overlap(Limited(union, range(len(union))), test)
    (joined,) = (index for index, video in enumerate(union.videos) if video.frames > train.videos[0].frames)
    assert (shared.equal, shared.similar) == ({32: joined}, {33: joined})


def test_an_image_of_a_video_is_of_its_file(with_train_videos):
    train, test = with_train_videos({}, {})
    images = FrameImages.evenly(train, 2)
    assert overlap(images, test).equal == {32: 15, 33: 17}
    assert set(overlap(images, FrameImages.evenly(test, 3)).equal) == {96, 97, 98, 99, 100, 101}
    assert set(overlap(UnionSplit("train", [images]), test).equal) == {32, 33}


def test_classes_that_one_side_lacks():
    def of(split, classes):
        return Subset(split, [n for n, video in enumerate(split.videos) if video.labels["action"] in classes])

    whole = {"train": of(TRAIN, (0, 1, 2)), "test": of(TEST, (0, 2, 3))}
    assert absent_classes(whole) == {"train": {"action": ("down",)}, "test": {"action": ("right",)}}
    assert absent_classes({"train": TRAIN, "test": TEST}) == {}
    known = {"side": {video.id: 0 for video in TRAIN.videos}}
    assert absent_classes({"train": Relabelled(TRAIN, known, {"side": ("A", "B")}), "test": TEST}) == {}


def test_a_split_without_labels_lacks_none():
    joined = ConcatenatedSplit(TRAIN)
    assert absent_classes({"train": joined, "test": TEST}) == {}
