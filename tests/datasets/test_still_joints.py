"""Joints of images in the cache."""

from __future__ import annotations

import numpy as np
import pytest

from harness.datasets.image_pose import store_joints
from harness.errors import DataError
from harness.system import paths

JOINTS = np.random.default_rng(0).normal(size=(3, 9, 2)).astype(np.float32)
VISIBLE = np.random.default_rng(1).random((3, 9)) < 0.5


def test_one_file_an_image():
    files = store_joints("flic", JOINTS, VISIBLE)
    for file, joints, visible in zip(files, JOINTS, VISIBLE, strict=True):
        with np.load(file, allow_pickle=False) as found:
            assert np.array_equal(found["joints"], joints[None])
            assert np.array_equal(found["visible"], visible[None])


def test_other_content_lies_elsewhere_and_the_same_is_written_once(monkeypatch):
    first = store_joints("flic", JOINTS, VISIBLE)
    assert not set(store_joints("flic", JOINTS, ~VISIBLE)) & set(first)
    assert not set(store_joints("flic", JOINTS + 1, VISIBLE)) & set(first)
    assert not set(store_joints("leeds-sports", JOINTS, VISIBLE)) & set(first)
    monkeypatch.setattr(np, "savez", None)
    assert store_joints("flic", JOINTS, VISIBLE) == first


def test_what_a_killed_process_left_is_thrown_away():
    folder = store_joints("flic", JOINTS, VISIBLE)[0].parent
    draft = folder.rename(folder.with_name(f".{folder.name}.writing"))
    (draft / "half.npz").touch()
    files = store_joints("flic", JOINTS, VISIBLE)
    assert sorted(folder.iterdir()) == files
    assert not draft.exists()


def test_a_full_disk_leaves_nothing_behind(monkeypatch):
    def full(*arguments, **values):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", full)
    with pytest.raises(DataError, match=r"No space left.*make room there"):
        store_joints("flic", JOINTS, VISIBLE)
    assert not [path for path in (paths.datasets() / "flic").iterdir() if path.suffix != ".lock"]
