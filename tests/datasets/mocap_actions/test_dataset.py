"""The embedded data set as the harness sees it, through the conformance kit and by hand."""

from __future__ import annotations

import os

import numpy as np
import pytest

from harness.datasets.mocap_actions import build, plan
from harness.datasets.mocap_actions.dataset import MocapActions, MocapActionsUnbiased
from harness.datasets.mocap_actions.places import KINDS
from harness.errors import DataError, UsageError
from harness.testing import failures

TINY = plan.Spec(clips=1, frames=6, fps=12.5, width=64, height=48, groups=9, classes=2)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """`mini` is tiny here, and drawn once, into an empty home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_HOME", str(tmp_path_factory.mktemp("home")))
        patch.setitem(plan.SIZES, "mini", TINY)
        yield


@pytest.mark.parametrize("kind", [MocapActions, MocapActionsUnbiased])
def test_it_keeps_what_a_data_set_has_to_keep(tiny, kind):
    data = kind(size="mini")
    assert not data.ready
    assert failures(data) == {}
    assert data.ready


def test_splits_carry_actions_scenes_groups_and_joints(tiny):
    data = MocapActions(size="mini")
    train, test = data.split("train"), data.split("test")
    assert (len(train), len(test)) == (2 * 2, 2 * 7)
    assert train.classes == {"action": ("Backflip", "Cartwheel"), "scene": tuple(KINDS)}
    assert test.videos[-1].labels["action"] == 1
    assert {video.group for video in train.videos} == {
        "Backflip_g08", "Backflip_g09", "Cartwheel_g08", "Cartwheel_g09",
    }  # fmt: skip
    with np.load(test.videos[0].joints, allow_pickle=False) as arrays:
        assert arrays["joints"].shape == (6, 9, 2)
    assert {video.group for video in MocapActions(size="mini", fold=2).split("train").videos} == {
        f"{name}_g{number:02d}" for name in ("Backflip", "Cartwheel") for number in range(1, 8)
    }


def test_a_fold_that_is_not_there(tiny):
    with pytest.raises(UsageError, match="fold 4"):
        MocapActions(size="mini", fold=4).split("train")


def test_the_folder_is_named_by_size_version_and_the_code_that_draws(tiny, monkeypatch):
    code = build.drawing_code()[:8]
    assert MocapActions(size="mini").folder.name == f"mini-v2-{code}"
    assert MocapActions(version=1).folder.name == f"full-v1-{code}"
    drawn = MocapActions(size="mini")
    drawn.split("train")
    assert drawn.ready
    assert not MocapActions(size="mini", version=1).ready
    monkeypatch.setattr(build, "drawing_code", lambda: "edited!!!")
    edited = MocapActions(size="mini")
    assert edited.folder.name == "mini-v2-edited!!"
    assert not edited.ready


def test_versions_have_the_same_videos_of_other_performances(tiny):
    old, new = (MocapActions(size="mini", version=version).split("test") for version in (1, 2))
    assert [video.id for video in old.videos] == [video.id for video in new.videos]
    assert all(one.content != other.content for one, other in zip(old.videos, new.videos, strict=True))


def test_altered_bytes_of_a_drawn_video_are_found(tiny):
    data = MocapActions(size="mini")
    path = data.split("test").videos[3].path
    whole = path.read_bytes()
    status = path.stat()
    try:
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        with pytest.raises(DataError, match=f"{path.name}: not the video that was drawn; delete .* drawn again"):
            MocapActions(size="mini").split("test")
        MocapActions(size="mini").split("train")  # has no part in it
    finally:
        path.write_bytes(whole)
    MocapActions(size="mini").split("test")
