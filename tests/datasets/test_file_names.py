"""Names with accents, spaces, marks and bytes that lists and disks spell in several ways."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata

import pytest

from harness.datasets.file_names import lookalike, read_lines, respelt
from harness.datasets.folders import VideoFolders
from harness.datasets.listed_files import ListedFile, read_split
from harness.errors import DataError

pytestmark = pytest.mark.usefixtures("in_process")

NFC, NFD = (unicodedata.normalize(form, "Dvořák/vidéo è.avi") for form in ("NFC", "NFD"))


@pytest.fixture
def video(footage):
    return next(iter(footage.values()))[0]


def put(video, folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, folder / name)


@pytest.mark.parametrize(("listed", "there"), [(NFC, NFD), (NFD, NFC), (NFC, NFC)])
def test_a_file_is_found_however_its_accents_are_written(tmp_path, video, listed, there):
    put(video, tmp_path, there)
    assert os.listdir(tmp_path) == [there.partition("/")[0]]  # noqa: PTH208 - as the disk has it
    entries = [ListedFile(path=listed, labels={"action": 0})]
    split = read_split("train", tmp_path, entries, {"action": ("a",)}, dataset="own")
    assert [one.id for one in split.videos] == [NFC.removesuffix(".avi")]
    assert split.videos[0].path == tmp_path / there
    assert split.read(0).shape[0] == split.videos[0].frames


def test_only_what_is_there_is_found(tmp_path, video):
    put(video, tmp_path, NFD)
    assert respelt(tmp_path, [NFC, "é.avi", "Dvořák/è.avi", "plain.avi"]) == {NFC: NFD}


@pytest.mark.parametrize(
    ("listed", "there"),
    [
        ("hit/\ufeffx_hit_1.avi", "hit/x_hit_1.avi"),
        ("hit/x.avi", "hit/x.AVI"),
        ("hit/x.avi", "hit/x .avi"),
        ("hit/a b.avi", "hit/a\xa0b.avi"),
        ("Hit/x.avi", "hit/x.avi"),
        ("hit/x.avi", "hit/x.mp4"),
    ],
)
def test_a_name_that_looks_alike_is_named_exactly(tmp_path, video, listed, there):
    put(video, tmp_path, there, "other/x.avi")
    near = lookalike(tmp_path, listed)
    assert near in {there, there.partition("/")[0]}
    entries = [ListedFile(path=path, labels={"action": 0}) for path in (listed, "other/x.avi")]
    with pytest.raises(DataError, match=r"1 missing.*there is '.*' instead of '") as refused:
        read_split("train", tmp_path, entries, {"action": ("a",)}, dataset="own")
    assert f"there is {near!r} instead of {listed!r}" in str(refused.value)
    assert lookalike(tmp_path, "hit/quite-another.avi") == ""


def test_a_list_is_read_without_its_mark_and_spaces(tmp_path):
    (tmp_path / "list.txt").write_bytes("\ufeffa.avi 1\r\n\n  b.avi 2\t\n".encode())
    assert read_lines(tmp_path / "list.txt", "get it") == {1: "a.avi 1", 3: "b.avi 2"}
    (tmp_path / "list.txt").write_bytes(b"caf\xe9.avi 1")
    with pytest.raises(DataError, match=r"list\.txt: cannot be read \(.*\); get it"):
        read_lines(tmp_path / "list.txt", "get it")


@pytest.mark.skipif(sys.platform == "darwin", reason="its names are always UTF-8")
@pytest.mark.parametrize("sides", ["", "train/,test/"])
def test_names_that_are_no_utf8_work(footage, tmp_path, place, sides):
    odd, folder = os.fsdecode(b"caf\xe9"), tmp_path / "own"
    files = iter([file for files in footage.values() for file in files])
    for number, side in enumerate(sides.split(",")):
        for name in (f"{odd}/1.avi", f"{odd}/2.avi", f"plain/{odd}{number}/{odd}.avi", "plain/b.avi"):
            put(next(files), folder, side + name)
    place("video-folders", folder)
    train, test = (VideoFolders().split(name) for name in ("train", "test"))
    assert train.classes == {"action": ("caf\\udce9", "plain")}
    for split in (train, test):
        for index, video in enumerate(split.videos):
            assert (video.id + video.group).isprintable()
            assert split.read(index).shape[0] == video.frames
    assert train.manifest != test.manifest
    hidden = train.unlabelled()
    assert hidden.read(0).shape[0] == hidden.videos[0].frames


def test_classes_of_two_spellings_are_one(footage, tmp_path, place):
    files = iter([file for files in footage.values() for file in files])
    for name in ("train/é/1.avi", "train/b/1.avi", "test/e\u0301/2.avi", "test/b/2.avi"):
        put(next(files), tmp_path, name)
    place("video-folders", tmp_path)
    assert [VideoFolders().split(name).classes["action"] for name in ("train", "test")] == [("b", "é")] * 2
