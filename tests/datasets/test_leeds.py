"""Leeds Sports Pose on a few frames of drawn people in its own layout, and wrong copies."""

from __future__ import annotations

import os

import numpy as np
import pytest
import scipy.io
from PIL import Image

from harness.datasets import image_pose
from harness.datasets.image_pose import LeedsSports
from harness.errors import DataError, UsageError
from harness.evaluators.pose.frames import frames_with_people
from harness.evaluators.pose.protocol import Pose
from harness.functional.pose import JOINTS
from harness.testing import failures
from harness.video.decode import decode

pytestmark = pytest.mark.usefixtures("in_process")

ORDER = {3: "right_hip", 4: "left_hip", 7: "right_wrist", 8: "right_elbow", 9: "right_shoulder"}
ORDER |= {10: "left_shoulder", 11: "left_elbow", 12: "left_wrist"}
"""Published, counted from 1."""

COUNT = 24
FRAME = 2


@pytest.fixture
def lsp(drawn, tmp_path, place, monkeypatch):
    """`lsp_dataset/` with 12 pictures on each side; of the last picture joint 7 (the right wrist) is hidden."""
    monkeypatch.setattr(image_pose, "COUNT", COUNT)
    monkeypatch.setattr(image_pose, "LEEDS_SIDES", {"train": range(12), "test": range(12, COUNT)})
    folder = tmp_path / "lsp_dataset"
    (folder / "images").mkdir(parents=True)
    published = np.zeros((3, 14, COUNT))
    for number, video in enumerate(sorted((drawn / "videos").glob("*/*"))[:COUNT]):
        joints = np.load(drawn / "joints" / video.relative_to(drawn / "videos").with_suffix(".npz"))["joints"][FRAME]
        Image.fromarray(decode(video, [FRAME])[0]).save(folder / "images" / f"im{number + 1:04d}.jpg", quality=95)
        for column, joint in ORDER.items():
            published[:2, column - 1, number] = joints[JOINTS.index(joint)] + 1
    published[2, 6, -1] = 1
    scipy.io.savemat(folder / "joints.mat", {"joints": published})
    place("leeds-sports", folder)
    return folder


def test_it_keeps_what_a_data_set_has_to(lsp):
    assert failures(LeedsSports()) == {}


def test_the_published_sides():
    assert image_pose.COUNT == 2000
    assert {"train": range(1000), "test": range(1000, 2000)} == image_pose.LEEDS_SIDES


def test_joints(lsp, drawn, place):
    place("leeds-sports", lsp.parent)
    split = LeedsSports().split("test")
    assert (len(split), split.videos[0].id, split.classes) == (12, "images/im0013", {})
    original, found = np.load(sorted((drawn / "joints").glob("*/*"))[COUNT - 1]), np.load(split.videos[-1].joints)
    np.testing.assert_allclose(found["joints"][0, 1:], original["joints"][FRAME, 1:], atol=1e-4)
    wanted = original["visible"][FRAME].copy()
    wanted[[JOINTS.index("nose"), JOINTS.index("right_wrist")]] = False
    assert found["visible"][0].tolist() == wanted.tolist()
    assert np.isnan(found["joints"][0, JOINTS.index("nose")]).all()
    assert not np.load(split.videos[0].joints)["visible"][0, 0]


def test_hidden_joints_are_not_scored_but_hold_the_torso(lsp):
    frames = frames_with_people(LeedsSports(), "test")
    assert len(frames) == 12
    assert not frames.scored[-1, JOINTS.index("right_wrist")]
    assert frames.scored[:, JOINTS.index("left_shoulder")].any()


def test_the_pose_protocol_runs_without_noses(lsp, maps):
    found = Pose().evaluate(maps, LeedsSports(), seed=0)
    assert found.notes["test"]["joints_missing"] == 12
    assert "strict_pcp_arms" in {score.metric for score in found.scores}


@pytest.mark.parametrize(
    "joints", [np.zeros((14, 3, COUNT)), np.zeros((3, 14, 10)), np.zeros((1, 1)), np.array(["text"])]
)
def test_another_set(lsp, joints):
    scipy.io.savemat(lsp / "joints.mat", {"joints": joints})
    with pytest.raises(DataError, match=r"joints\.mat: should hold joints \(3, 14, 24\), it holds .*not the extended"):
        LeedsSports().split("train")


def test_missing_pictures(lsp):
    (lsp / "images" / "im0003.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 12 videos of split 'train' cannot be used \(1 missing\)"):
        LeedsSports().split("train")
    split = LeedsSports(bad="skip").split("train")
    assert [video.id for video in split.videos[1:3]] == ["images/im0002", "images/im0004"]
    assert os.fspath(split.videos[2].joints).endswith("00003.npz")


def test_nothing_there(tmp_path, place):
    place("leeds-sports", tmp_path)
    with pytest.raises(DataError, match=r"no joints\.mat in"):
        LeedsSports().split("train")


def test_an_unknown_split(lsp):
    with pytest.raises(UsageError, match="unknown split 'val'"):
        LeedsSports().split("val")
