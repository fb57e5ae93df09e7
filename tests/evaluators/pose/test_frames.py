"""The frames that are measured, the squares around people, and joints that cannot be read."""

from __future__ import annotations

import dataclasses
import io
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.cards import DatasetCard
from harness.errors import DataError
from harness.evaluators.pose.frames import frames_with_people, read_joints
from harness.testing import MemorySplit
from harness.values import Video

UPRIGHT = np.array([[30, 10], [34, 16], [26, 16], [38, 22], [22, 22], [40, 28], [20, 28], [33, 32], [27, 32]], "f4")
"""A torso of 8 x 16 pixels about (30, 24)."""


class People:
    """Videos with the joints that are given, (T, 9, 2) and (T, 9) each."""

    card = DatasetCard(name="people", summary="joints", joints=True)

    def __init__(self, folder, *joints):
        self.videos = []
        for index, (points, visible) in enumerate(joints):
            path = folder / f"{index}.npz"
            np.savez(path, joints=points, visible=visible)
            self.videos.append(Video(f"v{index}", Path("x.avi"), len(points), 12.0, 64, 48, f"g{index}", {}, path))

    def split(self, name):
        return MemorySplit(name, tuple(self.videos), (), {})


def still(length, **changes):
    """So many frames of the upright person; `changes` are `joint_<n>=(x, y)` in every frame."""
    points = np.repeat(UPRIGHT[None], length, 0)
    for name, place in changes.items():
        points[:, int(name.removeprefix("joint_"))] = place
    return points, np.ones((length, 9), bool)


def test_the_square_is_three_torsos_wide_about_its_middle(tmp_path):
    frames = frames_with_people(People(tmp_path, still(8)), "train")
    assert frames.videos.tolist() == [0, 0]
    assert frames.numbers.tolist() == [2, 6]
    assert frames.sides.tolist() == [48, 48]
    assert frames.corners.tolist() == [[6, 0], [6, 0]]
    shares = frames.to_shares(frames.joints)
    assert shares[0, 7].tolist() == pytest.approx([27 / 48, 32 / 48])
    torch.testing.assert_close(frames.to_pixels(shares), torch.from_numpy(UPRIGHT).double().expand(2, 9, 2))


@pytest.mark.parametrize(("length", "numbers"), [(1, [0]), (2, [0, 1]), (3, [0, 2]), (4, [1, 3]), (5, [1, 3])])
def test_frames_are_the_middles_of_two_halves(tmp_path, length, numbers):
    frames = frames_with_people(People(tmp_path, still(length)), "train")
    assert frames.numbers.tolist() == numbers


def test_arms_do_not_move_the_square_and_the_whole_torso_does(tmp_path):
    wide, deep = still(2, joint_5=(63, 47)), still(2, joint_7=(33, 40))
    frames = frames_with_people(People(tmp_path, wide, deep), "train")
    assert frames.sides.tolist() == [48, 48, 72, 72]
    assert frames.corners[2].tolist() == [30 - 36, 28 - 36]


def test_what_is_missing_hidden_or_without_a_torso(tmp_path):
    points, visible = still(4)
    points[1, 3], points[3, 1], visible[1, 5] = np.nan, np.inf, False
    one_place = still(4, joint_1=(3, 3), joint_2=(3, 3), joint_7=(3, 3), joint_8=(3, 3))
    frames = frames_with_people(People(tmp_path, (points, visible), one_place, still(2, joint_6=(-40, 20))), "train")
    assert frames.videos.tolist() == [0, 2, 2]
    assert frames.skipped == 3
    assert (~frames.scored).nonzero().tolist() == [[0, 3], [0, 5]]
    assert frames.truth[0, 5].isnan().all()
    assert frames.joints[0, 5].tolist() == [40, 28]
    assert frames.counts() == {
        "frames": 3,
        "frames_without_torso": 3,
        "joints_missing": 1,
        "joints_outside_the_image": 1,
        "joints_scored_outside_the_crop": 2,
    }


def test_a_torso_that_leaves_the_image_still_places_the_square(tmp_path):
    points, visible = still(2)
    visible[:, 7:] = False
    frames = frames_with_people(People(tmp_path, (points, visible)), "train")
    assert frames.sides.tolist() == [48, 48]
    assert not frames.scored[:, 7:].any()


def test_no_videos(tmp_path):
    with pytest.raises(DataError, match="split 'train' of data set 'people' has no videos"):
        frames_with_people(People(tmp_path), "train")


def test_no_torso_at_all(tmp_path):
    points, visible = still(2, joint_1=(np.nan, 3))
    with pytest.raises(DataError, match="no frame has all of left_shoulder, right_shoulder, left_hip, right_hip"):
        frames_with_people(People(tmp_path, (points, visible)), "train")


def unreadable(folder):
    """For each thing that can be wrong with a file of joints, its bytes."""
    points, visible = still(3)
    saved = folder / "saved.npz"

    def arrays(**given):
        np.savez(saved, **given)
        return saved.read_bytes()

    whole = arrays(joints=points, visible=visible)
    np.savez_compressed(saved, joints=points + np.random.default_rng(0).random(points.shape, "f4"), visible=visible)
    packed = bytearray(saved.read_bytes())
    packed[80:100] = bytes(20)
    alone = io.BytesIO()
    np.save(alone, points)
    return {
        "no file": None,
        "empty": b"",
        "cut off": whole[: len(whole) // 2],
        "damaged": bytes(packed),
        "one array": alone.getvalue(),
        "text": b"joints",
        "pickle": pickle.dumps({"joints": points}),
        "objects": arrays(joints=points.astype(object), visible=visible),
        "no visible": arrays(joints=points),
        "fewer frames": arrays(joints=points[:2], visible=visible[:2]),
        "14 joints": arrays(joints=np.zeros((3, 14, 2), "f4"), visible=np.ones((3, 14), bool)),
        "3D": arrays(joints=np.zeros((3, 9, 3), "f4"), visible=visible),
        "integers": arrays(joints=points.astype(int), visible=visible),
        "visible as numbers": arrays(joints=points, visible=visible.astype("f4")),
    }


@pytest.mark.parametrize(
    "what",
    [
        *("no file", "empty", "cut off", "damaged", "one array", "text", "pickle", "objects"),
        *("no visible", "fewer frames", "14 joints", "3D", "integers", "visible as numbers"),
    ],
)
def test_joints_that_cannot_be_read_name_the_video(tmp_path, what):
    (video,) = People(tmp_path, still(3)).videos
    content = unreadable(tmp_path)[what]
    path = tmp_path / "wrong.npz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"wrong\.npz: .*video 'v0'"):
        read_joints(dataclasses.replace(video, joints=path))
