"""Boxes from files."""

from __future__ import annotations

import json

import numpy as np
import pytest

from harness.errors import DataError
from harness.values import Video
from harness_dense_trajectories.boxes import find_boxes, read_boxes

BOXES = [[[1, 2, 30, 40], [5.5, 6, 7, 8]], [], [[0, 0, 9, 9]]]


def test_boxes_of_a_part_of_a_file_are_asked_for_by_its_own_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    part = Video(id="a", path=tmp_path / "a.avi", frames=9, fps=25, width=64, height=48, content="12ab")
    with pytest.raises(DataError, match=r"ours/12ab\.npz or \.json .*a part of one has a name of its own, this one"):
        find_boxes("ours", part)


def test_both_formats_say_the_same(tmp_path):
    (tmp_path / "boxes.json").write_text(json.dumps(BOXES))
    np.savez(tmp_path / "boxes.npz", frame=[2, 0, 0], box=[BOXES[2][0], *BOXES[0]])
    for name in ("boxes.json", "boxes.npz"):
        read = read_boxes(tmp_path / name, 3)
        assert [boxes.shape for boxes in read] == [(2, 4), (0, 4), (1, 4)]
        for boxes, expected in zip(read, BOXES, strict=True):
            np.testing.assert_array_equal(boxes, np.array(expected, np.float32).reshape(-1, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[[], []]", "boxes of 2 frames, but the video has 3"),
        ("{", "no boxes can be read"),
        ("{}", "no boxes can be read"),
        ("[[[1, 2, 3]], [], []]", "left, top, right, bottom"),
        ("[[[3, 2, 1, 4]], [], []]", "left, top, right, bottom"),
        ("[[[1, 2, NaN, 4]], [], []]", "left, top, right, bottom"),
        ('[["a"], [], []]', "no boxes can be read"),
    ],
)
def test_json_that_holds_no_boxes_is_refused(tmp_path, content, message):
    path = tmp_path / "boxes.json"
    path.write_text(content)
    with pytest.raises(DataError, match=message):
        read_boxes(path, 3)


@pytest.mark.parametrize(
    "arrays",
    [
        {"frame": [3], "box": [[0, 0, 1, 1]]},
        {"frame": [-1], "box": [[0, 0, 1, 1]]},
        {"frame": [0, 1], "box": [[0, 0, 1, 1]]},
        {"frame": [0]},
        {"frame": [0], "box": np.array([{"a": 1}], object)},
    ],
)
def test_npz_that_holds_no_boxes_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "boxes.npz", **arrays)
    with pytest.raises(DataError, match="no boxes can be read"):
        read_boxes(tmp_path / "boxes.npz", 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.json"):
        read_boxes(tmp_path / "nowhere.json", 3)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 broken")
    with pytest.raises(DataError, match=r"broken\.npz"):
        read_boxes(tmp_path / "broken.npz", 3)
