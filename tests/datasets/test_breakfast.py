"""Breakfast on a small copy in the published layout, and files that are not of it."""

from __future__ import annotations

import shutil
from itertools import pairwise

import pytest
import torch

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


@pytest.fixture
def labelled(copy):
    """The copy with labels beside each video that reach beyond its end, in frames of 15 a second."""
    for path in copy.rglob("*.avi"):
        path.with_name(f"{path.name}.labels").write_text("1-2 SIL\n3-5 pour_milk  \n7-6 SIL\n6-900 stir_cereals\n")
    (copy / "P30/cam01/P30_cereals.avi.labels").write_text("2-6 take_bowl\n")
    return copy


def test_segments_are_videos_of_their_own(labelled):
    whole, data = Breakfast(3).split("test"), Breakfast(3, segments=True)
    test = data.split("test")
    assert test.classes == {"action": ("SIL", "pour_milk", "stir_cereals", "take_bowl"), "camera": CAMERAS}
    of_p29 = [(video.id, video.labels["action"], video.group) for video in test.videos[:4]]
    assert of_p29 == [
        ("P29/cam01/P29_tea 1-2", 0, "P29"),
        ("P29/cam01/P29_tea 3-5", 1, "P29"),
        ("P29/cam01/P29_tea 6-900", 2, "P29"),
        ("P30/cam01/P30_cereals 2-6", 3, "P30"),
    ]
    assert len(test) == 3 * (len(whole) - 1) + 1
    rate, frames = whole.videos[0].fps, whole.videos[0].frames
    bounds = [round(start / 15 * rate) for start in (0, 2, 5)] + [frames]
    assert [video.frames for video in test.videos[:3]] == [last - first for first, last in pairwise(bounds)]
    assert torch.equal(torch.cat([test.read(place) for place in range(3)]), whole.read(0))
    assert {video.group for video in test.videos} == {video.group for video in whole.videos}
    assert failures(data) == {}


@pytest.mark.parametrize("text", ["1-3\n", "0-3 SIL\n", "1-3 SIL more\n", "a-b SIL\n"])
def test_labels_of_segments_that_are_wrong(labelled, text):
    (labelled / "P40/cam01/P40_cereals.avi.labels").write_text(f"1-3 SIL\n{text}")
    assert len(Breakfast().split("test")) == 14
    with pytest.raises(DataError, match=r"P40_cereals\.avi\.labels, line 2: .* should be '<start>-<end> <action>'"):
        Breakfast(segments=True).split("test")
    (labelled / "P40/cam01/P40_cereals.avi.labels").unlink()
    with pytest.raises(DataError, match=r"P40_cereals\.avi\.labels: cannot be read"):
        Breakfast(segments=True).split("test")


def test_a_segment_beyond_the_end_of_its_file(labelled):
    before = [video.id for video in Breakfast(segments=True).split("test").videos]
    path = labelled / "P03/cam01/P03_juice.avi.labels"
    path.write_text(f"{path.read_text()}5000-6000 SIL\n")
    assert [video.id for video in Breakfast(segments=True).split("test").videos] == before
