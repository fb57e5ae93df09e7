"""Boxes around people from joints."""

from __future__ import annotations

import dataclasses
import subprocess
import sys

import numpy as np
import pytest

from harness.cards import DatasetCard
from harness.errors import DataError, UsageError
from harness_dense_trajectories.boxes import find_boxes, read_boxes
from harness_dense_trajectories.joint_boxes import Written, boxes_of, main, write_boxes
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables

WIDTH, HEIGHT = 64, 48


@pytest.fixture
def joints():
    """Joints (24, 9, 2) of people in and around a picture of 64 x 48, the first three odd."""
    joints = np.random.default_rng(0).normal((30, 20), 12, (24, 9, 2)).astype(np.float32)
    joints[0, 1] = np.nan  # no left shoulder: no torso
    joints[1, 5] = np.nan  # a wrist alone
    joints[2] -= 500  # somebody left of the picture
    return joints


@pytest.fixture
def people(squares, own_home, joints):
    """A data set of two videos a split, with joints."""

    class People:
        card = DatasetCard(name="people", summary="squares with joints", joints=True)

        def split(self, name):
            split = squares.split(name)
            videos = []
            for index, video in enumerate(split.videos[:2]):
                path = own_home / f"{name}-{index}.npz"
                np.savez(path, joints=joints + index, visible=np.ones((24, 9), bool))
                videos.append(dataclasses.replace(video, joints=path))
            return dataclasses.replace(split, videos=tuple(videos), frames=split.frames[:2])

    return People()


def slow(person):
    """(4,) of one frame, joint by joint; None where there is no box."""
    known = [(float(x), float(y)) for x, y in person if np.isfinite(x)]
    torso = float(np.hypot(*(person[1] - person[8]).astype(float)))
    box = [
        max(min(x for x, _ in known) - 0.5 * torso, 0),
        max(min(y for _, y in known) - 0.5 * torso, 0),
        min(max(x for x, _ in known) + 0.5 * torso, WIDTH),
        min(max(y for _, y in known) + 1.6 * torso, HEIGHT),
    ]
    return box if box[2] > box[0] and box[3] > box[1] else None


def test_a_box_is_around_all_joints_and_the_legs(joints):
    boxes = boxes_of(joints, WIDTH, HEIGHT)
    for number, (box, person) in enumerate(zip(boxes, joints, strict=True)):
        expected = slow(person) if number else None
        assert np.isnan(box).all() if expected is None else box.tolist() == pytest.approx(expected, abs=1e-4)
    assert np.isnan(boxes[:, 0]).nonzero()[0].tolist() == [0, 2]


def test_the_legs_are_within(joints):
    """A person upright: shoulders at 10, hips at 20 pixels, so 16 below the hips."""
    person = np.array([[20, 6], *[[20, 10]] * 2, *[[20, 15]] * 4, *[[20, 20]] * 2], np.float32)
    assert boxes_of(person[None], WIDTH, HEIGHT).tolist() == [[15, 1, 25, 36]]


def test_nobody_has_no_box():
    assert np.isnan(boxes_of(np.full((3, 9, 2), np.nan, np.float32), WIDTH, HEIGHT)).all()


def test_a_fit_reads_what_was_written(people, joints, own_home):
    assert write_boxes(people) == Written(new=4, before=0, frames=96, empty=8)
    split = people.split("test")
    boxes = read_boxes(find_boxes("joints", split.videos[1]), 24)
    expected = boxes_of(joints + 1, WIDTH, HEIGHT)
    assert [len(box) for box in boxes] == [0, 1, 0, *[1] * 21]
    np.testing.assert_array_equal(np.concatenate(boxes), expected[np.isfinite(expected[:, 0])])
    (ours,) = Tables(Settings(), boxes="joints").load(split.unlabelled(), [0])
    (plain,) = Tables(Settings()).load(split.unlabelled(), [0])
    assert not np.array_equal(ours, plain)


def test_an_interrupted_call_goes_on(people, own_home):
    video = people.split("test").videos[1]
    write_boxes(people)
    path = find_boxes("joints", video)
    kept = {file: file.stat().st_mtime_ns for file in path.parent.iterdir() if file != path}
    path.unlink()
    assert write_boxes(people) == Written(new=1, before=3, frames=24, empty=2)
    assert kept.items() <= {file: file.stat().st_mtime_ns for file in path.parent.iterdir()}.items()
    assert len(list(path.parent.iterdir())) == 4


def test_missing_boxes_name_the_command(people):
    with pytest.raises(DataError, match=r"joint_boxes DATASET`, or leave `boxes` out"):
        find_boxes("joints", people.split("test").videos[0])
    with pytest.raises(DataError, match=r"write them there, or leave `boxes` out"):
        find_boxes("detected", people.split("test").videos[0])


def test_data_without_joints_is_refused(squares, people, monkeypatch):
    with pytest.raises(DataError, match="'moving-squares' has no joints"):
        write_boxes(squares)
    split = people.split("test")
    nameless = dataclasses.replace(split, videos=tuple(dataclasses.replace(one, content="") for one in split.videos))
    monkeypatch.setattr(people, "split", lambda _: nameless, raising=False)
    with pytest.raises(DataError, match="has no hash of its content"):
        write_boxes(people)


def test_the_command(people, capsys, monkeypatch):
    given = []
    monkeypatch.setattr(
        "harness_dense_trajectories.joint_boxes.load_dataset", lambda name, **options: given.append(options) or people
    )
    main(["people", "--set", "size=mini", "--set", "fold=2"])
    assert given == [{"size": "mini", "fold": 2}]
    assert "boxes of 4 videos written (8 of their 96 frames have none), of 0 there before" in capsys.readouterr().out
    with pytest.raises(UsageError, match="write key=value"):
        main(["people", "--set", "size"])


def test_an_unknown_data_set_is_one_line_and_exit_code_2():
    command = [sys.executable, "-m", "harness_dense_trajectories.joint_boxes", "mocap-actons"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("joint_boxes: unknown data set 'mocap-actons'")
