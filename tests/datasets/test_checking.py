"""Check of a data set: every file looked at, what is wrong with it, and what is in two splits."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from harness.datasets.checking import check
from harness.datasets.concatenated_split import ConcatenatedSplit
from harness.datasets.split_views import Subset
from harness.datasets.ucf101 import UCF101
from harness.testing.fixtures import MovingSquares

pytestmark = pytest.mark.usefixtures("in_process", "home")


@pytest.fixture
def videos(ucf101):
    """Those of one class, of the groups 1 to 22; fold 1 tests 1 to 7."""
    return sorted((ucf101 / "UCF-101" / "Backflip").iterdir())


def test_a_sound_copy(ucf101):
    report = check(UCF101(location=ucf101))
    assert report.sound
    assert [(name, split.listed, split.videos) for name, split in report.splits.items()] == [
        ("train", 45, 45),
        ("test", 21, 21),
    ]
    train = report.splits["train"]
    assert (train.frames, train.left_out, train.changed) == (8 * 45, {}, {})
    assert len(train.short) == 45  # 8 frames each


def test_files_that_are_missing_broken_or_on_both_sides(ucf101, videos):
    videos[0].unlink()
    videos[8].write_text("no video")
    shutil.copy(videos[2], videos[9])
    report = check(UCF101(bad="skip", location=ucf101))
    assert not report.sound
    assert list(report.splits["test"].left_out.values()) == ["missing"]
    assert list(report.splits["train"].left_out.values()) == ["not-video"]
    assert report.doubled == {"train, test": ((videos[9].stem, videos[2].stem),)}


def test_a_file_that_was_changed_since_it_was_looked_at(ucf101, videos):
    data = UCF101(location=ucf101)
    data.split("train")
    shutil.copy(videos[10], videos[9])
    changed = check(data).splits["train"].changed
    assert changed == {videos[9].stem: "another content than when it was last looked at"}


def test_nearly_equal_videos_and_absent_classes_are_reported_and_no_fault_of_the_copy(textured):
    train, test = textured

    class Shared(MovingSquares):
        def split(self, name):
            if name == "train":
                return train
            copied = (*test.videos, replace(train.videos[5], id="copy", content="x", group=""))
            some = [n for n, video in enumerate(copied) if video.labels["action"] != 3]
            return Subset(replace(test, videos=copied, frames=(*test.frames, train.frames[5])), some)

    report = check(Shared())
    assert report.sound
    assert report.doubled == {}
    assert report.similar == {"train, test": (("train-05", "copy"),)}
    assert report.absent == {"test": {"action": ("down",)}}


def test_groups_in_two_splits():
    class FirstOfTrain(Subset):
        name = "test"

    class Leaking(MovingSquares):
        def split(self, name):
            return FirstOfTrain(super().split("train"), range(8)) if name == "test" else super().split(name)

    report = check(Leaking())
    assert not report.sound
    assert report.leaking == {"train, test": ("train-0",)}


def test_videos_that_are_no_files_are_read():
    class Joined(MovingSquares):
        def split(self, name):
            return ConcatenatedSplit(super().split(name))

    report = check(Joined())
    assert report.sound
    assert report.splits["test"].frames == 32 * 24
