"""Breakfast on a small copy in the published layout, and files that are not of it."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.breakfast import ACTIVITIES, CAMERAS, Breakfast
from harness.errors import DataError, UsageError
from harness.plugins.manager import Plugins
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

FURTHER = (
    "P03/stereo/P03_milk_ch0.avi",
    "P03/stereo/P03_milk_ch1.avi",
    "P16/stereo/P16_tea_ch1.avi",
    "P16/webcam02/P16_tea.avi",
    "P54/webcam01/P54_juice.avi",
)


@pytest.fixture
def copy(footage, tmp_path, place):
    """The folder of the archives: everybody once before a camera, and `FURTHER`."""
    folder = tmp_path / "breakfast/BreakfastII_15fps_qvga_sync"
    names = [f"P{number:02d}/cam01/P{number:02d}_{ACTIVITIES[number % 10]}.avi" for number in range(3, 55)]
    files = [file for files in footage.values() for file in files]
    assert len(files) > len(names) + len(FURTHER)
    for name, file in zip((*names, *FURTHER), files, strict=False):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, folder / name)
        (folder / f"{name}.labels").write_text("1-30 SIL\n")
    place("breakfast", folder.parent)
    return folder


def test_it_keeps_what_a_data_set_has_to(copy):
    assert failures(Breakfast()) == {}


@pytest.mark.parametrize(
    ("fold", "people", "videos"), [(1, (3, 15), 14), (2, (16, 28), 15), (3, (29, 41), 13), (4, (42, 54), 14)]
)
def test_a_fold_tests_a_quarter_of_the_people(copy, fold, people, videos):
    train, test = (Breakfast(fold).split(name) for name in ("train", "test"))
    first, last = people
    assert list(dict.fromkeys(video.group for video in test.videos)) == [f"P{n:02d}" for n in range(first, last + 1)]
    assert len({video.group for video in train.videos}) == 39
    assert not {video.group for video in train.videos} & {video.group for video in test.videos}
    assert (len(test), len(train)) == (videos, 56 - videos)


def test_what_the_names_say(copy, place):
    test = Breakfast().split("test")
    assert test.classes == {"action": ACTIVITIES, "camera": CAMERAS}
    assert [(video.id, video.path.name, *video.labels.values(), video.group) for video in test.videos[:3]] == [
        ("P03/cam01/P03_juice", "P03_juice.avi", 3, 0, "P03"),
        ("P03/stereo/P03_milk", "P03_milk_ch0.avi", 4, 2, "P03"),  # one of the two eyes
        ("P04/cam01/P04_milk", "P04_milk.avi", 4, 0, "P04"),
    ]
    assert [(video.id, video.path.name, *video.labels.values()) for video in Breakfast(2).split("test").videos[:3]] == [
        ("P16/cam01/P16_salat", "P16_salat.avi", 6, 0),
        ("P16/stereo/P16_tea", "P16_tea_ch1.avi", 9, 2),  # the other is not there
        ("P16/webcam02/P16_tea", "P16_tea.avi", 9, 4),
    ]
    place("breakfast", copy)  # the folder itself
    assert [video.id for video in Breakfast().split("test").videos] == [video.id for video in test.videos]


@pytest.mark.parametrize(
    "name",
    [
        "P03/cam01/P04_milk.avi",
        "P03/cam01/P03_toast.avi",
        "P03/cam01/P03_milk.mp4",
        "P03/cam01/P03_milk_ch0.avi",
        "P03/stereo/P03_milk_ch2.avi",
        "P03/cam03/P03_milk.avi",
    ],
)
def test_a_file_that_is_not_of_the_data_set(copy, name):
    (copy / name).parent.mkdir(exist_ok=True)
    shutil.copy(copy / "P04/cam01/P04_milk.avi", copy / name)
    with pytest.raises(DataError, match=rf"{name}: should be P03/<camera>/P03_<activity>\.avi") as caught:
        Breakfast().split("test")
    assert "\n" not in str(caught.value)


def test_somebody_is_not_there(copy):
    shutil.rmtree(copy / "P30")
    with pytest.raises(DataError, match=r"data set 'breakfast': no P30/ in .*, of people P03 to P54"):
        Breakfast().split("test")


def test_missing_and_broken(copy):
    (copy / "P05/cam01/P05_pancake.avi").write_text("no video")
    with pytest.raises(DataError, match=r"1 of 14 videos of split 'test' cannot be used \(1 not-video\)"):
        Breakfast().split("test")
    assert len(Breakfast(bad="skip").split("test")) == 13
    with pytest.raises(UsageError, match="unknown split 's1'"):
        Breakfast().split("s1")


def test_a_suite_names_the_fold():
    assert Plugins().datasets.build("breakfast", {"fold": 4}).fold == 4
    with pytest.raises(UsageError, match="fold"):
        Plugins().datasets.build("breakfast", {"fold": 5})
