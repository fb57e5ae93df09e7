"""Charades on a small copy in the published layout, and wrong lists."""

from __future__ import annotations

import csv
import shutil

import pytest

from harness.datasets.charades import Charades
from harness.errors import DataError, UsageError
from harness.evaluators.multilabel import MultilabelProbe
from harness.plugins.manager import Plugins
from harness.testing import UninformedEncoder, evaluating, failures

pytestmark = pytest.mark.usefixtures("in_process")

CLASSES = ("c000 Holding some clothes", "c001 Putting clothes somewhere", "c002 Taking some clothes from somewhere")
TRAIN = {
    "46GP8": ("HR43", "c001 0.00 11.90;c000 11.80 21.00;c001 15.50 21.00"),
    "N11GT": ("0KZ7", "c002 0.00 30.00"),
    "0IH69": ("QDEN", ""),
    "KRF68": ("0KZ7", "c000 2.00 9.10"),
}
TEST = {"YSKX3": ("XTR1", "c002 3.60 8.40;c000 0.00 9."), "001YG": ("HR43", "c000 1 2"), "EMPTY": ("QDEN", "")}


def write_list(path, videos):
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "subject", "scene", "quality", "script", "actions", "length"])
        writer.writerows(
            [video, subject, "Kitchen", 6, 'A person says: "no",\nand goes.', actions, 30.5]
            for video, (subject, actions) in videos.items()
        )


@pytest.fixture
def copy(footage, tmp_path, place):
    """Lays the data set out: `copy()` as it is published."""
    files = [file for files in footage.values() for file in files]

    def write(videos="Charades_v1_480", lists="Charades"):
        folder = tmp_path / "charades"
        (folder / videos).mkdir(parents=True)
        (folder / lists).mkdir(exist_ok=True)
        for name, file in zip((*TRAIN, *TEST), files, strict=False):
            shutil.copy(file, folder / videos / f"{name}.mp4")
        for split, listed in {"train": TRAIN, "test": TEST}.items():
            write_list(folder / lists / f"Charades_v1_{split}.csv", listed)
        (folder / lists / "Charades_v1_classes.txt").write_text("\n".join(CLASSES) + "\n")
        place("charades", folder)
        return folder

    return write


@pytest.mark.parametrize("layout", [{}, {"lists": "."}, {"videos": "videos", "lists": "annotations"}, {"videos": "."}])
def test_the_layouts_give_the_same_splits(copy, layout):
    copy(**layout)
    train, test = (Charades().split(name) for name in ("train", "test"))
    assert train.multilabel_classes == test.multilabel_classes == {"action": CLASSES}
    assert not train.classes
    assert [(video.id, video.multilabels["action"], video.group) for video in (*train.videos, *test.videos)] == [
        ("46GP8", (0, 1), "train/HR43"),  # the lists have this subject on both sides
        ("N11GT", (2,), "0KZ7"),
        ("0IH69", (), "QDEN"),
        ("KRF68", (0,), "0KZ7"),
        ("YSKX3", (0, 2), "XTR1"),
        ("001YG", (0,), "test/HR43"),
    ]


def test_it_keeps_what_a_data_set_has_to(copy):
    copy()
    assert failures(Plugins().datasets.build("charades", {})) == {}


def test_the_published_measure_is_taken(copy):
    copy()
    found = evaluating.evaluate(MultilabelProbe(), UninformedEncoder(), Charades())
    assert list(found.notes["average_precision"]) == [CLASSES[0], CLASSES[2]]
    assert found.predictions.groups == ("XTR1", "test/HR43")


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"46GP8": ("A", "")}, "46GP8 is in Charades_v1_train.csv already"),
        ({"../x": ("A", "")}, "'../x' is no id of a video"),
        ({"AAAAA": ("", "")}, "AAAAA has no subject"),
        ({"AAAAA": ("A", "c001 0.0")}, "the actions of AAAAA should be 'c092 11.90 21.20;...', and are 'c001 0.0'"),
        ({"AAAAA": ("A", "c003 0.0 1.0")}, "action c003 is none of the 3 of Charades_v1_classes.txt"),
    ],
)
def test_a_row_that_is_wrong(copy, row, problem):
    folder = copy()
    write_list(folder / "Charades/Charades_v1_test.csv", {**TEST, **row})
    with pytest.raises(DataError, match=r"Charades_v1_test\.csv, row 4: ") as caught:
        Charades().split("train")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("test.csv", "id,subject\nAAAAA,A\n", "should have the columns id, subject, actions; they are id, subject"),
        ("test.csv", "id,subject,actions\nAAAAA,A\n", "row 1: 2 cells, 3 columns"),
        ("test.csv", 'id,subject,actions\n"AAAAA', "cannot be read as CSV"),
        ("classes.txt", "c000 One\nc002 Two\n", "line 2: 'c002 Two' should be 'c001 <action>'"),
        ("classes.txt", "", "names no actions"),
    ],
)
def test_lists_that_are_wrong(copy, name, text, message):
    (copy() / f"Charades/Charades_v1_{name}").write_text(text)
    with pytest.raises(DataError, match=message):
        Charades().split("test")


def test_missing_files(copy):
    folder = copy()
    (folder / "Charades_v1_480/001YG.mp4").unlink()
    with pytest.raises(DataError, match=r"1 of 2 videos of split 'test' cannot be used \(1 missing\)"):
        Charades().split("test")
    assert len(Charades(bad="skip").split("test")) == 1
    (folder / "Charades/Charades_v1_train.csv").unlink()
    with pytest.raises(DataError, match=r"data set 'charades': no Charades_v1_train.csv in .* get the annotations"):
        Charades().split("test")
    with pytest.raises(UsageError, match="unknown split 'val'"):
        Charades().split("val")
