"""Kinetics-700 on small copies in the layouts of both editions, and lists that do not fit each other."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.kinetics700 import Kinetics700, Kinetics700In2020
from harness.errors import DataError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

HEADER = "label,youtube_id,time_start,time_end,split\n"
TRAIN = """\
zumba,-3B32lodo2M,59,69,train
abseiling,0347ZoDXyP0,95,105,train
zumba,aaaaaaaaaa_,0,10,train
abseiling,gone-gone-1,1,11,train
abseiling,aaaaaaaaaa_,20,30,train
"""
TEST = """\
zumba,bbbbbbbbbb0,137,147,{word}
abseiling,cccccccccc0,3,13,{word}
zumba,0347ZoDXyP0,200,210,{word}
"""
CLIPS = (
    "train/zumba/-3B32lodo2M_000059_000069.mp4",
    "train/abseiling/0347ZoDXyP0_000095_000105.mp4",
    "train/zumba/aaaaaaaaaa__000000_000010.mp4",
    "train/abseiling/aaaaaaaaaa__000020_000030.mp4",
    "val/bbbbbbbbbb0_000137_000147.mp4",
    "val/cccccccccc0_000003_000013.mp4",
    "val/0347ZoDXyP0_000200_000210.mp4",
)


@pytest.fixture
def copy(footage, tmp_path):
    """Writes lists, and clips beside them."""

    def write(test_list="validate.csv", word="validate", test=TEST):
        folder = tmp_path / "kinetics"
        below = test_list.rpartition("/")[0]
        (folder / below).mkdir(parents=True)
        (folder / below / "train.csv").write_text(HEADER + TRAIN)
        (folder / test_list).write_text(HEADER + test.format(word=word))
        for clip, file in zip(CLIPS, [file for files in footage.values() for file in files], strict=False):
            (folder / clip).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / clip)
        return folder

    return write


@pytest.mark.parametrize(
    ("tested", "test_list", "word"),
    [
        (Kinetics700(), "validate.csv", "validate"),
        (Kinetics700In2020(), "validate.csv", "validate"),
        (Kinetics700In2020(), "annotations/val.csv", "val"),
    ],
)
def test_it_keeps_what_a_data_set_has_to(copy, place, tested, test_list, word):
    place(tested.card.name, copy(test_list, word))
    assert failures(tested) == {}


def test_what_the_lists_say(copy, place):
    place("kinetics700", copy())
    train, test = (Kinetics700().split(name) for name in ("train", "test"))
    assert train.classes == test.classes == {"action": ("abseiling", "zumba")}
    assert [(video.id, video.group, video.labels["action"]) for video in train.videos] == [
        ("-3B32lodo2M_000059_000069", "-3B32lodo2M", 1),
        ("0347ZoDXyP0_000095_000105", "train/0347ZoDXyP0", 0),  # a video of two actions, which is in both lists
        ("aaaaaaaaaa__000000_000010", "aaaaaaaaaa_", 1),
        ("aaaaaaaaaa__000020_000030", "aaaaaaaaaa_", 0),
    ]
    assert train.left_out == {"train/abseiling/gone-gone-1_000001_000011.mp4": "missing"}
    assert [(video.id, video.group, video.labels["action"]) for video in test.videos] == [
        ("bbbbbbbbbb0_000137_000147", "bbbbbbbbbb0", 1),
        ("cccccccccc0_000003_000013", "cccccccccc0", 0),
        ("0347ZoDXyP0_000200_000210", "test/0347ZoDXyP0", 1),
    ]


def test_a_file_named_by_its_video_is_the_clip_where_that_has_one_alone(copy, place):
    folder = copy()
    for clip in CLIPS:
        (folder / clip).rename(folder / clip.rpartition("/")[2])
    (folder / "-3B32lodo2M_000059_000069.mp4").rename(folder / "-3B32lodo2M.mp4")
    (folder / "aaaaaaaaaa__000000_000010.mp4").rename(folder / "aaaaaaaaaa_.mp4")  # of two actions
    (folder / "0347ZoDXyP0_000095_000105.mp4").rename(folder / "0347ZoDXyP0.mp4")  # in both lists
    place("kinetics700", folder)
    train = Kinetics700().split("train")
    assert [video.id for video in train.videos] == ["-3B32lodo2M_000059_000069", "aaaaaaaaaa__000020_000030"]
    assert set(train.left_out) >= {
        "train/abseiling/0347ZoDXyP0_000095_000105.mp4",
        "train/zumba/aaaaaaaaaa__000000_000010.mp4",
    }


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("knitting,dddddddddd0,0,10,validate", "line 5: no clip of train.csv has the label 'knitting'"),
        ("zumba,0347ZoDXyP0,95,105,validate", "line 5: 0347ZoDXyP0_000095_000105 is in train.csv too"),
        ("zumba,../../etc/p,0,10,validate", "line 5: '../../etc/p' is no YouTube id"),
    ],
)
def test_lists_that_are_wrong(copy, place, row, problem):
    place("kinetics700-2020", copy(test=TEST + row))
    with pytest.raises(DataError, match=r"validate\.csv") as caught:
        Kinetics700In2020().split("train")
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)
