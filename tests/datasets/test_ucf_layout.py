"""Folders in UCF101's layout: the official lists' formats, and lists that are wrong."""

from __future__ import annotations

import pytest

from harness.datasets.ucf_layout import class_index, list_files, read_list
from harness.errors import DataError, UsageError

TRAIN = "Run/v_Run_g08_c01.avi 1\nWalk/v_Walk_g08_c01.avi 2\nWalk/v_Walk_g08_c02.avi 2\n"
TEST = "Run/v_Run_g01_c01.avi\nWalk/v_Walk_g02_c01.avi\n"


@pytest.fixture
def folder(tmp_path):
    lists = tmp_path / "ucfTrainTestlist"
    lists.mkdir()
    (lists / "classInd.txt").write_text("1 Run\r\n2 Walk\r\n")
    (lists / "trainlist01.txt").write_text(TRAIN)
    (lists / "testlist01.txt").write_text(TEST)
    return tmp_path


def write(folder, name, text):
    (folder / "ucfTrainTestlist" / name).write_text(text)


def test_the_official_formats(folder):
    assert class_index(folder) == {"Run": 0, "Walk": 1}
    train, test = list_files(folder, "train", 1), list_files(folder, "test", 1)
    assert [entry.id for entry in train] == ["v_Run_g08_c01", "v_Walk_g08_c01", "v_Walk_g08_c02"]
    assert [entry.labels["action"] for entry in test] == [0, 1]
    assert [entry.group for entry in train] == ["Run_g08", "Walk_g08", "Walk_g08"]
    assert test[0].path == "videos/Run/v_Run_g01_c01.avi"
    assert list_files(folder, "test", 1, videos="")[0].path == "Run/v_Run_g01_c01.avi"


def test_scenes_and_joints(folder):
    scenes = {"Run/v_Run_g01_c01": 1, "Walk/v_Walk_g02_c01": 0}
    test = list_files(folder, "test", 1, scenes=scenes, joints=folder / "joints")
    assert [entry.labels["scene"] for entry in test] == [1, 0]
    assert test[1].joints == folder / "joints" / "Walk" / "v_Walk_g02_c01.npz"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("classInd.txt", "1 Run\n3 Walk\n", "should be '2 <Class>'"),
        ("classInd.txt", "1 Run\n2 Run\n", "not named before"),
        ("trainlist01.txt", TRAIN.replace("avi 2", "avi 1"), "another class than classInd"),
        ("trainlist01.txt", TRAIN + "Run/v_Run_g08_c01.avi 1\n", "named once"),
        ("trainlist01.txt", "../Run/v_Run_g08_c01.avi 1\n", "should be <Class>/<file>"),
        ("trainlist01.txt", "Run/.. 1\n", "should be <Class>/<file>"),
        ("trainlist01.txt", "Swim/v_Swim_g08_c01.avi 3\n", "of a class in classInd"),
        ("trainlist01.txt", "Run/running.avi 1\n", "not named v_<Class>_gXX_cYY"),
        ("testlist01.txt", TEST + "Walk/v_Walk_g08_c03.avi\n", "group 'Walk_g08' in train and in test"),
    ],
)
def test_wrong_lists_name_the_line(folder, name, text, message):
    write(folder, name, text)
    with pytest.raises(DataError, match=message):
        list_files(folder, "train", 1)


def test_missing_splits_folds_and_files(folder):
    with pytest.raises(UsageError, match="unknown split 'tset'; did you mean 'test'"):
        read_list(folder, "tset", 1)
    with pytest.raises(UsageError, match="has folds 1 to 1"):
        read_list(folder, "train", 2)
    (folder / "ucfTrainTestlist" / "testlist01.txt").unlink()
    with pytest.raises(DataError, match="cannot be read"):
        list_files(folder, "train", 1)


def test_a_mark_and_more_spaces(folder):
    usual = list_files(folder, "train", 1)
    write(folder, "classInd.txt", "\ufeff1  Run\n2\tWalk \n")
    write(folder, "trainlist01.txt", "\ufeff" + TRAIN.replace(" ", "  "))
    assert list_files(folder, "train", 1) == usual
