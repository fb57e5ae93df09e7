"""Folders of videos and images by class, split by whoever made them or by the names."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.datasets.folders import VideoFolders
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")


def paths(data, name, folder):
    return [video.path.relative_to(folder).as_posix() for video in data.split(name).videos]


@pytest.fixture
def by_class(footage, tmp_path, place):
    """`<class>/<file>` of three classes with ten videos each."""
    folder = tmp_path / "own"
    for action, files in footage.items():
        (folder / action).mkdir(parents=True)
        for number, file in enumerate(files[:10]):
            shutil.copy(file, folder / action / f"{number}.AVI")
    place("video-folders", folder)
    return folder


@pytest.fixture
def split(by_class):
    """`train/<class>/<file>` and `test/<class>/<file>`."""
    for folder in list(by_class.iterdir()):
        for side, numbers in (("train", range(6)), ("test", range(6, 10))):
            (by_class / side / folder.name).mkdir(parents=True)
            for number in numbers:
                (folder / f"{number}.AVI").rename(by_class / side / folder.name / f"{number}.AVI")
        folder.rmdir()
    return by_class


@pytest.fixture
def images(tmp_path, place):
    folder = tmp_path / "images"
    for action, value in (("dark", 40), ("light", 200)):
        (folder / action).mkdir(parents=True)
        for number, suffix in enumerate((".jpg", ".png", ".bmp", ".JPEG", ".webp", ".tiff")):
            picture = np.full((36, 48, 3), value + number, np.uint8)
            (folder / action / f"{number}{suffix}").write_bytes(cv2.imencode(suffix, picture)[1].tobytes())
    place("video-folders", folder)
    return folder


@pytest.mark.parametrize("layout", ["by_class", "split", "images"])
def test_it_keeps_what_a_data_set_has_to(request, layout):
    request.getfixturevalue(layout)
    assert failures(VideoFolders()) == {}


def test_train_and_test_as_they_are(split):
    data = VideoFolders()
    assert paths(data, "test", split)[:5] == [*(f"test/Backflip/{n}.AVI" for n in range(6, 10)), "test/Cartwheel/6.AVI"]
    assert [video.labels["action"] for video in data.split("train").videos] == [0] * 6 + [1] * 6 + [2] * 6
    assert data.split("train").classes["action"][:2] == ("Backflip", "Cartwheel")


def test_a_split_by_the_hash_of_names(by_class):
    train, test = (paths(VideoFolders(), name, by_class) for name in ("train", "test"))
    for action in ("Backflip", "Cartwheel"):
        files = [f"{action}/{number}.AVI" for number in range(10)]
        first = sorted(files, key=lambda path: hashlib.sha256(path.encode()).hexdigest())[:3]
        assert [path for path in test if path.startswith(action)] == sorted(first)
    assert len(train) == 21
    assert len(test) == 9
    assert not set(train) & set(test)
    assert len(paths(VideoFolders(test_share=0.01), "test", by_class)) == 3
    assert len(paths(VideoFolders(test_share=0.99), "train", by_class)) == 3


def test_groups_stay_together(by_class):
    for folder in by_class.iterdir():
        for number in range(10):
            (folder / f"place {number // 2}").mkdir(exist_ok=True)
            (folder / f"{number}.AVI").rename(folder / f"place {number // 2}" / f"{number}.AVI")
    data = VideoFolders(test_share=0.4)
    groups = {name: {video.group for video in data.split(name).videos} for name in ("train", "test")}
    assert (len(groups["train"]), len(groups["test"])) == (9, 6)
    assert not groups["train"] & groups["test"]
    assert "Backflip/place 0" in groups["train"] | groups["test"]
    assert len(data.split("test")) == 12
    assert failures(data) == {}


def test_what_is_ignored(by_class):
    before = VideoFolders().split("train").manifest
    (by_class / "Backflip/.hidden.avi").write_text("hidden")
    (by_class / "Backflip/readme.txt").write_text("no video")
    (by_class / ".cache").mkdir()
    (by_class / "list.csv").write_text("no folder")
    assert VideoFolders().split("train").manifest == before


def test_a_name_that_looks_like_a_pattern_is_one_image(images):
    (images / "dark/0.jpg").rename(images / "dark/x_001.jpg")
    (images / "light/0.jpg").rename(images / "dark/x_%03d.jpg")
    videos = {
        video.path.name: float(split.read(index).float().mean())
        for split in (VideoFolders().split("train"), VideoFolders().split("test"))
        for index, video in enumerate(split.videos)
    }
    assert videos["x_001.jpg"] == pytest.approx(40, abs=3)
    assert videos["x_%03d.jpg"] == pytest.approx(200, abs=3)


def test_wrong_folders(by_class, place):
    (by_class / "Lonely").mkdir()
    with pytest.raises(DataError, match=r"Lonely: no video or image in this class folder"):
        VideoFolders().split("train")
    shutil.copy(by_class / "Backflip/0.AVI", by_class / "Lonely")
    with pytest.raises(DataError, match=r"Lonely: a class needs two files or groups at least"):
        VideoFolders().split("train")
    place("video-folders", by_class / "Backflip")
    with pytest.raises(DataError, match="no folders of classes"):
        VideoFolders().split("train")
    place("video-folders", by_class / "Backflip/0.AVI")
    with pytest.raises(DataError, match="cannot be read as a folder"):
        VideoFolders().split("train")


def test_a_class_that_cannot_be_reached_is_not_left_out(by_class, monkeypatch):
    stat = os.stat

    def refused(asked, *arguments, **named):
        if not isinstance(asked, int) and Path(asked) == by_class / "Backflip":
            raise PermissionError(errno.EACCES, "Permission denied", str(asked))
        return stat(asked, *arguments, **named)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(Path, "stat", lambda path, **named: os.stat(path, **named))  # noqa: PTH116 - as from Python 3.11 on
    monkeypatch.setattr(Path, "is_dir", os.path.isdir)  # as from Python 3.14 on
    with pytest.raises(DataError, match=r"Backflip: cannot be read \(Permission denied\)") as caught:
        VideoFolders(bad="skip").split("train")
    assert caught.value.reason == "unreadable"


def test_train_and_test_that_do_not_fit(split):
    for side in ("train", "test"):
        (split / side / "Backflip/park").mkdir()
        shutil.copy(split / "train/Backflip/0.AVI", split / side / "Backflip/park/9.avi")
    with pytest.raises(DataError, match=r"group 'Backflip/park' is in train/ and in test/"):
        VideoFolders().split("train")
    shutil.rmtree(split / "train/Backflip")
    with pytest.raises(DataError, match=r"class 'Backflip' is in test/ and not in train/"):
        VideoFolders().split("train")


def test_files_that_cannot_be_used(by_class):
    for file in (by_class / "Backflip").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"7 of 21 videos of split 'train' cannot be used \(7 empty\)"):
        VideoFolders().split("train")
    assert len(VideoFolders(bad="skip").split("train")) == 14


@pytest.mark.parametrize("share", [0, 1, -0.1, float("nan")])
def test_a_share_that_is_none(share):
    with pytest.raises(UsageError, match="test_share must be between 0 and 1"):
        VideoFolders(test_share=share)


def test_no_such_split_and_no_place():
    with pytest.raises(UsageError, match="unknown split 'val'"):
        VideoFolders().split("val")
    with pytest.raises(UsageError, match="harness dataset add video-folders"):
        VideoFolders().split("train")


@pytest.fixture
def frames(images):
    """`<class>/<video>/<frame>` and `<class>/<group>/<video>/<frame>`."""
    for action in ("dark", "light"):
        folder = images / action
        for file in folder.iterdir():
            file.unlink()
        for video in ("b", "a", "anna/1", "anna/2"):
            (folder / video).mkdir(parents=True)
            for number in range(3):
                picture = np.full((36, 48, 3), 80 * number + 10 * len(action) + len(video), np.uint8)
                (folder / video / f"{number}.jpg").write_bytes(cv2.imencode(".jpg", picture)[1].tobytes())
    return images


def test_a_folder_of_images_is_a_video_where_a_rate_is_said(frames):
    data = VideoFolders(fps=25)
    assert failures(data) == {}
    videos = [video for side in ("train", "test") for video in data.split(side).videos]
    assert {(video.id, video.group, video.frames, video.fps) for video in videos} == {
        (f"{action}/{video}", f"{action}/anna" if "/" in video else "", 3, 25.0)
        for action in ("dark", "light")
        for video in ("a", "b", "anna/1", "anna/2")
    }


def test_without_a_rate_the_same_folder_is_a_group_of_images(frames):
    groups = {video.group for side in ("train", "test") for video in VideoFolders().split(side).videos}
    assert groups == {"dark/a", "dark/b", "light/a", "light/b"}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("dark/3.jpg", r"dark/3\.jpg: an image in no folder of frames"),
        ("dark/anna/3.jpg", r"dark/anna/1: lies among images"),
        ("dark/a/film.mp4", r"dark/a/film\.mp4: lies among images"),
    ],
)
def test_images_that_are_frames_of_no_one_video(frames, name, message):
    (frames / name).touch()
    with pytest.raises(DataError, match=message):
        VideoFolders(fps=25).split("train")
