"""5-Contexts on a small copy in the harness's layout, and wrong copies."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.five_contexts import FiveContexts
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

CONTEXTS = ("car", "coffee vending machine", "office")
CAMERAS = ("LX2P", "LX3", "RJ")


@pytest.fixture
def copy(footage, tmp_path, place):
    folder = tmp_path / "contexts"
    for context, files in zip(CONTEXTS, footage.values(), strict=True):
        for side, chosen in (("train", files[:3]), ("test", files[3:6])):
            (folder / side / context).mkdir(parents=True)
            for camera, file in zip(CAMERAS, chosen, strict=True):
                shutil.copy(file, folder / side / context / f"{camera}.avi")
    place("five-contexts", folder)
    return folder


def test_it_keeps_what_a_data_set_has_to(copy):
    assert failures(FiveContexts()) == {}


def test_what_the_folders_say(copy):
    (copy / "train/car/notes.txt").write_text("no video")
    (copy / "train/.DS_Store").write_text("hidden")
    train, test = FiveContexts().split("train"), FiveContexts().split("test")
    assert train.classes == test.classes == {"action": CONTEXTS, "camera": CAMERAS}
    assert [(video.labels["action"], video.labels["camera"]) for video in test.videos] == [
        (context, camera) for context in range(3) for camera in range(3)
    ]
    assert test.videos[5].id == "test/coffee vending machine/RJ"
    assert {video.group for video in (*train.videos, *test.videos)} == {""}


@pytest.mark.parametrize("wrong", ["test/gym/RJ.avi", "test/car/GoPro.avi"])
def test_a_context_or_camera_that_is_not_in_train(copy, wrong):
    (copy / wrong).parent.mkdir(exist_ok=True)
    shutil.copy(copy / "test/car/RJ.avi", copy / wrong)
    with pytest.raises(DataError, match=rf"{wrong}: train/ has the contexts .* and cameras .*, not "):
        FiveContexts().split("train")


def test_a_context_filmed_twice_by_a_camera(copy):
    shutil.copy(copy / "train/car/RJ.avi", copy / "train/car/RJ.mp4")
    with pytest.raises(DataError, match=r"name 'train/car/RJ' twice in split 'train'"):
        FiveContexts().split("train")


def test_missing_and_broken(copy):
    (copy / "train/car/RJ.avi").write_text("no video")
    with pytest.raises(DataError, match=r"1 of 9 videos of split 'train' cannot be used \(1 not-video\)"):
        FiveContexts().split("train")
    assert len(FiveContexts(bad="skip").split("train")) == 8
    shutil.rmtree(copy / "test")
    with pytest.raises(DataError, match=r"test: cannot be read as a folder"):
        FiveContexts().split("train")
    with pytest.raises(UsageError, match="unknown split 'val'"):
        FiveContexts().split("val")
