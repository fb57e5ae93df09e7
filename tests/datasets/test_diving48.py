"""Diving48 on a small copy in the published layout, and wrong lists."""

from __future__ import annotations

import json
import shutil

import pytest

from harness.datasets.diving48 import Diving48
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

VOCABULARY = [
    ["Back", "15som", "05Twis", "FREE"],
    ["Back", "15som", "15Twis", "FREE"],
    ["Forward", "25som", "NoTwis", "PIKE"],
]
DIVES = ("Back 15som 05Twis FREE", "Back 15som 15Twis FREE", "Forward 25som NoTwis PIKE")
TRAIN = {"-mmq0PT-u8k_00155": 0, "-mmq0PT-u8k_00156": 1, "_8Vy3dlHg2w_00000": 2, "2x00lRzlTVQ_00000": 2}
TEST = {"2x00lRzlTVQ_00001": 1, "h7IqZl3Rq_0_00004": 0}


def rows(clips):
    return [{"vid_name": name, "label": label, "start_frame": 0, "end_frame": 8} for name, label in clips.items()]


@pytest.fixture
def copy(footage, tmp_path, place):
    """Lays the data set out: `copy()` as it is published."""
    files = [file for files in footage.values() for file in files]

    def write(videos="rgb", lists="."):
        folder = tmp_path / "diving"
        (folder / videos).mkdir(parents=True)
        (folder / lists).mkdir(exist_ok=True)
        for name, file in zip((*TRAIN, *TEST), files, strict=False):
            shutil.copy(file, folder / videos / f"{name}.mp4")
        for name, content in {"V2_train": rows(TRAIN), "V2_test": rows(TEST), "vocab": VOCABULARY}.items():
            (folder / lists / f"Diving48_{name}.json").write_text(json.dumps(content))
        place("diving48", folder)
        return folder

    return write


@pytest.mark.parametrize("layout", [{}, {"videos": "videos", "lists": "annotations"}, {"videos": "."}])
def test_the_layouts_give_the_same_splits(copy, layout):
    copy(**layout)
    train, test = (Diving48().split(name) for name in ("train", "test"))
    assert train.classes == test.classes == {"action": DIVES}
    assert [(video.id, video.labels["action"], video.group) for video in train.videos] == [
        ("-mmq0PT-u8k_00155", 0, "-mmq0PT-u8k"),
        ("-mmq0PT-u8k_00156", 1, "-mmq0PT-u8k"),
        ("_8Vy3dlHg2w_00000", 2, "_8Vy3dlHg2w"),
        ("2x00lRzlTVQ_00000", 2, "train/2x00lRzlTVQ"),  # the lists have this video on both sides
    ]
    assert [(video.id, video.labels["action"], video.group) for video in test.videos] == [
        ("2x00lRzlTVQ_00001", 1, "test/2x00lRzlTVQ"),
        ("h7IqZl3Rq_0_00004", 0, "h7IqZl3Rq_0"),
    ]
    assert {video.frames for video in train.videos} == {8}


def test_it_keeps_what_a_data_set_has_to(copy):
    copy()
    assert failures(Diving48()) == {}


def test_clips_that_are_gone_or_broken(copy):
    folder = copy()
    (folder / "rgb/-mmq0PT-u8k_00155.mp4").unlink()
    (folder / "rgb/_8Vy3dlHg2w_00000.mp4").write_text("no video")
    with pytest.raises(DataError, match=r"2 of 4 videos of split 'train' cannot be used \(1 missing, 1 not-video\)"):
        Diving48().split("train")
    assert len(Diving48(bad="skip").split("train")) == 2


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"vid_name": "2x00lRzlTVQ_00001"}, "entry 3: 2x00lRzlTVQ_00001 is in Diving48_V2_test.json already"),
        ({"vid_name": "2x00lRzlTVQ_00000"}, "entry 3: 2x00lRzlTVQ_00000 is in Diving48_V2_train.json already"),
        ({"vid_name": "../x_1"}, "entry 3: '../x_1' is not named <video>_<number>"),
        ({"vid_name": "2x00lRzlTVQ"}, "entry 3: '2x00lRzlTVQ' is not named <video>_<number>"),
        ({"label": 3}, "entry 3: label 3 is none of the 3 of Diving48_vocab.json"),
        ({"label": -1}, "entry 3: label -1 is none of the 3"),
        ({"label": "1"}, "entry 3: 'label' should be a whole number, and is '1'"),
        ({"label": True}, "entry 3: 'label' should be a whole number, and is True"),
    ],
)
def test_an_entry_that_is_wrong(copy, entry, problem):
    folder = copy()
    wrong = {"vid_name": "aaaaaaaaaaa_00001", "label": 0, **entry}
    (folder / "Diving48_V2_test.json").write_text(json.dumps([*rows(TEST), wrong]))
    with pytest.raises(DataError, match=r"Diving48_V2_test\.json") as caught:
        Diving48().split("train")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "content", [{}, [], [*VOCABULARY, VOCABULARY[0]], [*VOCABULARY, []], [*VOCABULARY, "Back"], [*VOCABULARY, [1]]]
)
def test_a_vocabulary_that_is_wrong(copy, content):
    folder = copy()
    (folder / "Diving48_vocab.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"Diving48_vocab\.json: should be a list of dives, each once"):
        Diving48().split("train")


def test_lists_that_are_none(copy):
    folder = copy()
    (folder / "Diving48_V2_test.json").write_text("{")
    with pytest.raises(DataError, match=r"Diving48_V2_test\.json: cannot be read as JSON"):
        Diving48().split("train")
    (folder / "Diving48_V2_train.json").rename(folder / "Diving48_train.json")  # the first version
    expected = r"no Diving48_V2_train\.json in .* or in annotations below it; get the lists of the second version"
    with pytest.raises(DataError, match=expected):
        Diving48().split("train")
    with pytest.raises(UsageError, match="unknown split 'val'"):
        Diving48().split("val")
