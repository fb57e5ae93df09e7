"""HMDB51 on a small copy in its own layout, with its odd names, and wrong copies."""

from __future__ import annotations

import shutil

import pytest

from harness.datasets.hmdb51 import HMDB51, LISTS
from harness.errors import DataError, UsageError
from harness.testing import failures

pytestmark = pytest.mark.usefixtures("in_process")

CLIPS = {
    "brush_hair": {
        "April_09_brush_hair_u_nm_np1_ba_goo_0.avi": "111",
        "April_09_brush_hair_u_nm_np1_ba_goo_1.avi": "112",
        "#2 Hair & (Care); [how]_brush_hair_f_cm_np1_fr_med_0.avi": "221",
        "50%d_brush_hair_f_cm_np1_fr_med_0.avi": "022",
    },
    "hit": {
        "Alien_hit_man_hit_f_cm_np1_ba_med_0.avi": "121",
        "April_09_hit_f_cm_np1_ba_med_3.avi": "212",
        "nothing-of-the-kind.avi": "121",
    },
}
"""For each clip its mark in the three folds."""


@pytest.fixture
def hmdb51(footage, tmp_path):
    folder = tmp_path / "hmdb"
    (folder / LISTS).mkdir(parents=True)
    for (action, clips), files in zip(CLIPS.items(), footage.values(), strict=False):
        (folder / "videos" / action).mkdir(parents=True)
        for clip, file in zip(clips, files, strict=False):
            shutil.copy(file, folder / "videos" / action / clip)
        for fold in range(3):
            lines = "".join(f"{clip} {marks[fold]} \n" for clip, marks in clips.items())
            (folder / LISTS / f"{action}_test_split{fold + 1}.txt").write_text(lines)
    return folder


@pytest.mark.parametrize(("told", "fold"), [("", 1), ("videos", 2)])
def test_it_keeps_what_a_data_set_has_to(hmdb51, place, told, fold):
    place("hmdb51", hmdb51 / told)
    assert failures(HMDB51(fold=fold)) == {}


@pytest.mark.parametrize("videos", ["hmdb51_org", "."])
def test_what_the_lists_say(hmdb51, place, videos):
    for folder in (hmdb51 / "videos").iterdir():
        folder.replace((hmdb51 / videos).mkdir(exist_ok=True) or hmdb51 / videos / folder.name)
    place("hmdb51", hmdb51)
    train, test = (HMDB51().split(name) for name in ("train", "test"))
    assert train.classes == {"action": ("brush_hair", "hit")}
    assert [(video.path.name, video.labels["action"], video.group) for video in train.videos] == [
        ("April_09_brush_hair_u_nm_np1_ba_goo_0.avi", 0, "train/April_09"),
        ("April_09_brush_hair_u_nm_np1_ba_goo_1.avi", 0, "train/April_09"),
        ("Alien_hit_man_hit_f_cm_np1_ba_med_0.avi", 1, "train/Alien_hit_man"),
        ("nothing-of-the-kind.avi", 1, "train/nothing-of-the-kind"),
    ]
    assert [(video.id, video.group) for video in test.videos] == [
        ("brush_hair/#2 Hair & (Care); [how]_brush_hair_f_cm_np1_fr_med_0", "test/#2 Hair & (Care); [how]"),
        ("hit/April_09_hit_f_cm_np1_ba_med_3", "test/April_09"),
    ]
    assert test.read(0, [0]).shape == (1, 48, 64, 3)


def test_the_manifest_does_not_depend_on_where_the_class_folders_are(hmdb51, place):
    place("hmdb51", hmdb51)
    before = HMDB51().split("train").manifest
    (hmdb51 / "videos").rename(hmdb51 / "hmdb51_org")
    assert HMDB51().split("train").manifest == before
    assert HMDB51(fold=2).split("train").manifest != before


@pytest.mark.parametrize(
    "line",
    ["../../secret.avi 1", "a\\b.avi 1", "clip.avi 3", "clip.avi", "clip.mp4 1", "nothing-of-the-kind.avi 0", " 1"],
)
def test_a_line_that_is_wrong(hmdb51, place, line):
    place("hmdb51", hmdb51)
    with (hmdb51 / LISTS / "hit_test_split1.txt").open("a") as file:
        file.write(line)
    with pytest.raises(DataError, match=r"hit_test_split1\.txt, line 4: .* should be '<clip>\.avi <0, 1 or 2>'"):
        HMDB51().split("train")


def test_lists_and_class_folders_that_do_not_fit(hmdb51, place):
    place("hmdb51", hmdb51)
    (hmdb51 / LISTS / "hit_test_split3.txt").unlink()
    with pytest.raises(DataError, match=r"hit_test_split3\.txt is not there"):
        HMDB51(fold=3).split("train")
    for fold in (1, 2):
        (hmdb51 / LISTS / f"hit_test_split{fold}.txt").unlink()
    with pytest.raises(DataError, match=r"videos/hit: .* no hit_test_split1\.txt for this class folder"):
        HMDB51().split("train")
    shutil.rmtree(hmdb51 / "videos" / "hit")
    assert len(HMDB51().split("train")) == 2
    (hmdb51 / LISTS / "brush_hair_test_split1.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match=r"brush_hair_test_split1\.txt: cannot be read"):
        HMDB51().split("train")
    shutil.rmtree(hmdb51 / LISTS)
    with pytest.raises(DataError, match=f"no {LISTS}/"):
        HMDB51().split("train")


def test_clips_that_are_missing_or_broken(hmdb51, place):
    place("hmdb51", hmdb51)
    (hmdb51 / "videos/hit/nothing-of-the-kind.avi").unlink()
    (hmdb51 / "videos/hit/Alien_hit_man_hit_f_cm_np1_ba_med_0.avi").write_text("no video")
    with pytest.raises(DataError, match=r"2 of 4 videos of split 'train' cannot be used \(1 not-video, 1 missing\)"):
        HMDB51().split("train")
    train = HMDB51(bad="skip").split("train")
    assert len(train) == 2
    assert sorted(train.left_out.values()) == ["missing", "not-video"]
    shutil.rmtree(hmdb51 / "videos")
    with pytest.raises(DataError, match="none of the 4 videos of split 'train' is below"):
        HMDB51().split("train")


def test_no_such_split_and_no_place(hmdb51, place):
    with pytest.raises(UsageError, match="harness dataset add hmdb51"):
        HMDB51().split("train")
    place("hmdb51", hmdb51)
    with pytest.raises(UsageError, match="unknown split 'val'"):
        HMDB51().split("val")


def test_lists_with_a_mark_and_other_spaces(hmdb51, place):
    place("hmdb51", hmdb51)
    plain = HMDB51().split("train").manifest
    for path in (hmdb51 / LISTS).iterdir():
        path.write_text("\ufeff" + path.read_text().replace(".avi ", ".avi \t").replace("\n", "\r\n"))
    assert HMDB51().split("train").manifest == plain
