"""Something-Something V2 on a small copy in the published layouts, and wrong lists."""

from __future__ import annotations

import json
import shutil

import av
import pytest

from harness.datasets.something_something import SomethingSomethingV2
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

LABELS = {
    "Pushing something from left to right": "1",
    "Moving something and something closer to each other": "0",
    "Something colliding with something and both are being deflected": "2",
}
TEMPLATES = (
    "Pushing [something] from left to right",
    "Moving [something] and [something] closer to each other",
    "[Something] colliding with [something] and both are being deflected",
)
TRAIN = ("78687", "42326", "100904", "9", "220847", "3")
VALIDATION = ("74225", "116154", "198186")


def rows(ids):
    return [
        {"id": one, "label": "pushing a cup", "template": TEMPLATES[number % 3], "placeholders": ["a cup"]}
        for number, one in enumerate(ids)
    ]


def webm(source, path):
    """Encode a video again, as the data set's are."""
    with av.open(str(source)) as old, av.open(str(path), "w", format="webm") as new:
        stream = new.add_stream("libvpx-vp9", rate=12, options={"deadline": "realtime", "cpu-used": "8"})
        stream.width, stream.height, stream.pix_fmt = old.streams.video[0].width, old.streams.video[0].height, "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in old.decode(video=0):
            new.mux(stream.encode(frame))
        new.mux(stream.encode())


@pytest.fixture(scope="module")
def clips(drawn, tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for one, file in zip((*TRAIN, *VALIDATION), sorted((drawn / "videos").rglob("*.avi")), strict=False):
        webm(file, folder / f"{one}.webm")
    return folder


@pytest.fixture
def copy(clips, tmp_path, place):
    """Lays the data set out: `copy()` as it is published today."""

    def write(videos="20bn-something-something-v2", lists="labels", prefix=""):
        folder = tmp_path / "something"
        shutil.copytree(clips, folder / videos, dirs_exist_ok=True)
        (folder / lists).mkdir(exist_ok=True)
        contents = {"labels": LABELS, "train": rows(TRAIN), "validation": rows(VALIDATION), "test": [{"id": "1"}]}
        for name, content in contents.items():
            (folder / lists / f"{prefix}{name}.json").write_text(json.dumps(content))
        place("something-something-v2", folder)
        return folder

    return write


@pytest.mark.parametrize(
    "layout",
    [
        {},
        {"lists": ".", "prefix": "something-something-v2-"},
        {"videos": "videos", "lists": "annotations", "prefix": "something-something-v2-"},
        {"videos": ".", "lists": "."},
    ],
)
def test_the_layouts_give_the_same_splits(copy, layout):
    copy(**layout)
    train, test = (SomethingSomethingV2().split(name) for name in ("train", "test"))
    assert train.classes == test.classes == {"action": tuple(sorted(LABELS, key=LABELS.__getitem__))}
    assert [(video.id, video.labels["action"], video.group) for video in train.videos] == [
        ("78687", 1, ""),
        ("42326", 0, ""),
        ("100904", 2, ""),
        ("9", 1, ""),
        ("220847", 0, ""),
        ("3", 2, ""),
    ]
    assert [(video.id, video.labels["action"]) for video in test.videos] == [("74225", 1), ("116154", 0), ("198186", 2)]
    assert {(video.frames, video.path.suffix) for video in train.videos} == {(8, ".webm")}


def test_it_keeps_what_a_data_set_has_to(copy):
    copy()
    assert failures(SomethingSomethingV2()) == {}


def test_a_clip_that_is_gone(copy):
    folder = copy()
    (folder / "20bn-something-something-v2/9.webm").unlink()
    with pytest.raises(DataError, match=r"1 of 6 videos of split 'train' cannot be used \(1 missing\)"):
        SomethingSomethingV2().split("train")
    train = SomethingSomethingV2(bad="skip").split("train")
    assert train.left_out == {"20bn-something-something-v2/9.webm": "missing"}


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ({"id": "78687"}, "entry 4: 78687 is in train.json already"),
        ({"id": "74225"}, "entry 4: 74225 is in validation.json already"),
        ({"id": "../1"}, "entry 4: '../1' is no id, a number"),
        ({"id": 5}, "entry 4: 'id' should be a text, and is 5"),
        ({"template": "Eating [something]"}, "entry 4: labels.json has no label 'Eating something'"),
        ({"template": None}, "entry 4: 'template' should be a text, and is None"),
    ],
)
def test_an_entry_that_is_wrong(copy, entry, problem):
    folder = copy()
    wrong = {**rows(["8"])[0], **entry}
    (folder / "labels/validation.json").write_text(json.dumps([*rows(VALIDATION), wrong]))
    with pytest.raises(DataError, match=r"labels/validation\.json") as caught:
        SomethingSomethingV2().split("train")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({}, "should be an object of each label with its number as a text, from '0' on"),
        ([*LABELS], "should be an object of each label"),
        ({**LABELS, "Eating something": "4"}, "should be an object of each label"),
        ({**LABELS, "Eating something": "2"}, "should be an object of each label"),
        ({**LABELS, "Eating something": 3}, "should be an object of each label"),
        ({**LABELS, "Eating something": []}, "should be an object of each label"),
    ],
)
def test_labels_that_are_wrong(copy, content, problem):
    folder = copy()
    (folder / "labels/labels.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=problem):
        SomethingSomethingV2().split("test")


def test_lists_that_are_none(copy):
    folder = copy()
    (folder / "labels/train.json").write_text('{"id": "1"}')
    with pytest.raises(DataError, match=r"train\.json: should be a list of objects, and is none"):
        SomethingSomethingV2().split("test")
    (folder / "labels/train.json").write_text("[" * 100_000)
    with pytest.raises(DataError, match=r"train\.json: cannot be read as JSON"):
        SomethingSomethingV2().split("test")
    (folder / "labels/train.json").unlink()
    with pytest.raises(DataError, match=r"train\.json: cannot be read as JSON"):
        SomethingSomethingV2().split("test")
    (folder / "labels/labels.json").unlink()
    expected = r"no labels\.json or something-something-v2-labels\.json in .*, or in labels/ or annotations/ there"
    with pytest.raises(DataError, match=expected):
        SomethingSomethingV2().split("test")
    with pytest.raises(UsageError, match="unknown split 'validation'"):
        SomethingSomethingV2().split("validation")
