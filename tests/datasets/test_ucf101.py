"""UCF101 on a small copy in its own layout, and wrong copies."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.ucf101 import UCF101
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")


@pytest.mark.parametrize("inside", ["", "UCF-101"])
def test_it_keeps_what_a_data_set_has_to(ucf101, place, inside):
    place("ucf101", ucf101 / inside)
    assert failures(UCF101(fold=2)) == {}


@pytest.mark.parametrize("videos", ["videos", "UCF101", "."])
def test_the_class_folders_may_lie_elsewhere(ucf101, place, videos):
    for folder in (ucf101 / "UCF-101").iterdir():
        folder.replace((ucf101 / videos).mkdir(exist_ok=True) or ucf101 / videos / folder.name)
    (ucf101 / "UCF-101").rmdir()
    place("ucf101", ucf101)
    train, test = UCF101().split("train"), UCF101().split("test")
    assert (len(train), len(test)) == (45, 21)
    assert train.read(0, [0]).shape == (1, 48, 64, 3)
    assert train.videos[0].group == "Backflip_g08"
    assert train.videos[-1].labels == {"action": 2}


def test_nothing_says_where_it_lies():
    with pytest.raises(UsageError, match=r"harness dataset add ucf101 .*HARNESS_DATA_UCF101"):
        UCF101().split("train")


def test_no_lists(ucf101, place):
    shutil.rmtree(ucf101 / "ucfTrainTestlist")
    place("ucf101", ucf101)
    with pytest.raises(DataError, match="no ucfTrainTestlist"):
        UCF101().split("train")


def test_a_copy_that_lacks_videos(ucf101, place):
    place("ucf101", ucf101)
    for name in ("g08", "g09"):
        next((ucf101 / "UCF-101" / "Backflip").glob(f"*_{name}_*")).unlink()
    with pytest.raises(DataError, match=r"2 of 45 videos of split 'train' cannot be used \(2 missing\)"):
        UCF101().split("train")
    whole = UCF101(bad="skip").split("test")
    partial = UCF101(bad="skip").split("train")
    assert len(partial) == 43
    assert list(partial.left_out.values()) == ["missing", "missing"]
    assert not partial.unlabelled().left_out
    assert not whole.left_out
