"""Kinetics on small copies in the layouts people have it in, incomplete as all are, and wrong lists."""

from __future__ import annotations

import errno
import os
import time

import numpy as np
import pytest

from harness.datasets import kinetics
from harness.datasets.kinetics import Kinetics400, Kinetics600
from harness.errors import DataError, UsageError
from harness.testing import failures
from harness.video.write import write_video

pytestmark = pytest.mark.usefixtures("in_process")

HEADER = "label,youtube_id,time_start,time_end,split"
TRAIN = """
zumba,-3B32lodo2M,59,69,train
abseiling,0347ZoDXyP0,95,105,train
"passing (in game), far",aaaaaaaaaa_,0,10,train
zumba,gone-gone-1,1,11,train
"""
TEST = """
zumba,bbbbbbbbbb0,137,147,{word}
abseiling,cccccccccc0,3.0,13.0,{word}
"""


@pytest.fixture(scope="session")
def clip(tmp_path_factory):
    """A clip as MP4."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    frames = np.random.default_rng(0).integers(0, 255, (6, 48, 64, 3), dtype=np.uint8)
    write_video(path, frames, 12.5)
    return path.read_bytes()


@pytest.fixture
def copy(clip, tmp_path):
    """Writes lists, and clips at the places given."""

    def write(*places, lists=("train.csv", "validate.csv"), word="val", train=TRAIN, test=TEST):
        folder = tmp_path / "kinetics"
        for name, rows in zip(lists, (train, test.format(word=word)), strict=True):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(HEADER + rows)
        for place in places:
            (folder / place).parent.mkdir(parents=True, exist_ok=True)
            (folder / place).write_bytes(clip)
        return folder

    return write


NESTED = (
    "train/zumba/-3B32lodo2M_000059_000069.mp4",
    "train/abseiling/0347ZoDXyP0_000095_000105.mp4",
    "train/passing_(in_game),_far/aaaaaaaaaa__000000_000010.mp4",
    "val/zumba/bbbbbbbbbb0_000137_000147.mp4",
    "val/abseiling/cccccccccc0_000003_000013.mp4",
)
BY_LABEL = tuple(place.partition("/")[2].replace("_(in_game),_far", " (in game), far") for place in NESTED)
FLAT = tuple(place.rpartition("/")[2] for place in NESTED)
BARE = tuple(f"videos/{name[:11]}.mp4" for name in FLAT)


@pytest.mark.parametrize("places", [NESTED, BY_LABEL, FLAT, BARE])
def test_the_layouts_give_the_same_splits(copy, place, places):
    place("kinetics400", copy(*places))
    train, test = (Kinetics400().split(name) for name in ("train", "test"))
    assert train.classes == {"action": ("abseiling", "passing (in game), far", "zumba")}
    assert [(video.id, video.group, video.labels["action"]) for video in train.videos] == [
        ("-3B32lodo2M_000059_000069", "-3B32lodo2M", 2),
        ("0347ZoDXyP0_000095_000105", "0347ZoDXyP0", 0),
        ("aaaaaaaaaa__000000_000010", "aaaaaaaaaa_", 1),
    ]
    assert train.left_out == {"train/zumba/gone-gone-1_000001_000011.mp4": "missing"}
    assert [(video.id, video.labels["action"]) for video in test.videos] == [
        ("bbbbbbbbbb0_000137_000147", 2),
        ("cccccccccc0_000003_000013", 0),
    ]
    assert test.videos[0].path.name.startswith("bbbbbbbbbb0")


@pytest.mark.parametrize(
    ("tested", "lists", "word"),
    [
        (Kinetics400(), ("annotations/train.csv", "annotations/val.csv"), "val"),
        (Kinetics600(bad="skip"), ("train.csv", "validate.csv"), "validate"),
    ],
)
def test_it_keeps_what_a_data_set_has_to(copy, place, tested, lists, word):
    place(tested.card.name, copy(*NESTED, lists=lists, word=word))
    assert failures(tested) == {}


def test_further_columns_links_and_hidden_files(copy, place, tmp_path):
    folder = copy(*NESTED)
    rows = (folder / "train.csv").read_text().splitlines()
    (folder / "train.csv").write_text("".join(f"{row},{'is_cc' if row == HEADER else 0}\n" for row in rows if row))
    (folder / "train/zumba/._-3B32lodo2M_000059_000069.mp4").write_text("what a Mac leaves behind")
    (folder / "train").rename(tmp_path / "elsewhere")
    (folder / "train").symlink_to(tmp_path / "elsewhere")
    (folder / "val/round").symlink_to(folder)
    place("kinetics400", folder)
    assert len(Kinetics400().split("train")) == 3


def test_clips_that_are_there_and_cannot_be_used(copy, place):
    folder = copy(*NESTED)
    (folder / NESTED[0]).write_bytes(b"")
    place("kinetics400", folder)
    with pytest.raises(DataError, match=r"1 of 4 videos of split 'train' cannot be used \(1 empty\)"):
        Kinetics400().split("train")
    assert set(Kinetics400(bad="skip").split("train").left_out.values()) == {"empty", "missing"}


def test_clips_in_a_folder_that_cannot_be_listed_are_not_missing(copy, place, monkeypatch):
    folder = copy(*NESTED)
    place("kinetics400", folder)
    scandir = os.scandir

    def refused(path):
        if str(path) == str(folder / "train" / "zumba"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(kinetics.os, "scandir", refused)
    with pytest.raises(DataError, match=r"zumba: cannot be listed \(Permission denied\)") as caught:
        Kinetics400(bad="skip").split("train")
    assert caught.value.reason == "unreadable"


def test_no_clip_at_all(copy, place):
    place("kinetics400", copy())
    with pytest.raises(DataError, match="none of the 4 videos of split 'train' is below"):
        Kinetics400().split("train")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("zumba,../../etc/p,0,10,train", "line 6: '../../etc/p' is no YouTube id"),
        ("zumba,..,0,10,train", "line 6: '..' is no YouTube id"),
        ("zumba,aaaa/aaaaaa,0,10,train", "is no YouTube id"),
        ("../zumba,aaaaaaaaaa1,0,10,train", "'../zumba' is no label"),
        ("zum/ba,aaaaaaaaaa1,0,10,train", "'zum/ba' is no label"),
        (",aaaaaaaaaa1,0,10,train", "'' is no label"),
        ("zumba,aaaaaaaaaa1,10,10,train", "'10' to '10' is no interval"),
        ("zumba,aaaaaaaaaa1,-1,10,train", "'-1' to '10' is no interval"),
        ("zumba,aaaaaaaaaa1,0.5,10,train", "'0.5' to '10' is no interval"),
        ("zumba,aaaaaaaaaa1,0,10,test", "split 'test' in the list of 'train'"),
        ("zumba,aaaaaaaaaa1,0,10", "line 6: 4 cells where the header has 5"),
        ("zumba,-3B32lodo2M,59,69.0,train", "line 6: clip -3B32lodo2M_000059_000069 a second time"),
        ('zumba,"aaaaaaaaaa1,0,10,train', "cannot be read as CSV"),
    ],
)
def test_a_row_that_is_wrong(copy, place, row, problem):
    place("kinetics400", copy(*NESTED, train=TRAIN + row))
    with pytest.raises(DataError, match=r"train\.csv") as caught:
        Kinetics400().split("test")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("knitting,dddddddddd0,0,10,val", "line 4: no clip of train.csv has the label 'knitting'"),
        ("zumba,0347ZoDXyP0,0,10,val", "line 4: 0347ZoDXyP0 is in train.csv too"),
    ],
)
def test_lists_that_do_not_fit_each_other(copy, place, row, problem):
    place("kinetics400", copy(*NESTED, test=TEST + row))
    with pytest.raises(DataError, match=problem):
        Kinetics400().split("train")


def test_lists_that_are_none(copy, place):
    folder = copy(*NESTED)
    place("kinetics600", folder)
    (folder / "train.csv").write_text("id,label\n")
    with pytest.raises(DataError, match=r"train\.csv, line 1: the columns should be label,youtube_id"):
        Kinetics600().split("train")
    (folder / "train.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"train\.csv: cannot be read"):
        Kinetics600().split("train")
    (folder / "validate.csv").unlink()
    with pytest.raises(DataError, match=r"no validate\.csv or val\.csv in"):
        Kinetics600().split("train")
    with pytest.raises(UsageError, match="unknown split 'validate'"):
        Kinetics600().split("validate")
    with pytest.raises(UsageError, match="harness dataset add kinetics400"):
        Kinetics400().split("train")


def test_a_large_folder_is_walked_once(copy, place, monkeypatch):
    folder = copy(*NESTED)
    place("kinetics400", folder)
    many = folder / "train" / "many"
    many.mkdir()
    for number in range(5000):
        os.close(os.open(many / f"{number:011d}_000000_000010.mp4", os.O_CREAT))
    folders = [str(folder), *(str(path) for path in folder.rglob("*") if path.is_dir())]
    scans = []
    scandir = os.scandir
    monkeypatch.setattr(kinetics.os, "scandir", lambda path: scans.append(str(path)) or scandir(path))
    data = Kinetics400()
    before = time.perf_counter()
    assert len(data.split("train")) == 3
    assert len(data.split("test")) == 2
    assert time.perf_counter() - before < 5
    assert sorted(scan for scan in scans if scan.startswith(str(folder))) == sorted(folders)


@pytest.mark.parametrize("suffix", [".mkv", ".webm", ".mp4.mkv", ".mp4.webm", ".MP4"])
def test_clips_as_they_came_from_youtube(copy, clip, place, suffix):
    place("kinetics400", copy(*(name.replace(".mp4", suffix) for name in NESTED)))
    for name, count in (("train", 3), ("test", 2)):
        split = Kinetics400().split(name)
        assert len(split) == count
        assert {video.path.name.partition(".")[2] for video in split.videos} == {suffix[1:]}
    place("kinetics400", copy(*NESTED))  # beside them
    assert {video.path.suffix for video in Kinetics400().split("train").videos} == {".mp4"}
