"""The conversion of motion files."""

from __future__ import annotations

import json
import re
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from harness.datasets.mocap_actions.convert import COLUMNS, convert


def write(folder, name, loop, rows):
    (folder / f"humanoid3d_{name}.txt").write_text(json.dumps({"Loop": loop, "Frames": rows}))


def test_durations_become_times(tmp_path):
    rows = [[seconds, *range(COLUMNS - 1)] for seconds in (0.5, 0.25, 0.0)]
    write(tmp_path, "hop", "wrap", rows)
    write(tmp_path, "bow", "none", rows)
    convert(tmp_path, tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz", allow_pickle=False) as arrays:
        assert arrays["wraps"].tolist() == ["hop"]
        assert arrays["bow"].dtype == np.float32
        assert arrays["hop"][:, 0].tolist() == [0, 0.5, 0.75]
        assert arrays["hop"][1, 1:].tolist() == list(range(COLUMNS - 1))


@pytest.mark.parametrize("rows", [[[0.1, 2.0]], [[float("nan")] * COLUMNS] * 2, []])
def test_what_is_no_table_of_numbers_is_refused(tmp_path, rows):
    write(tmp_path, "bad", "none", rows)
    with pytest.raises(ValueError, match="humanoid3d_bad"):
        convert(tmp_path, tmp_path / "out.npz")
    assert not (tmp_path / "out.npz").exists()


def test_a_folder_without_motions_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="humanoid3d"):
        convert(tmp_path, tmp_path / "out.npz")


def test_what_ships_is_small_and_says_where_it_is_from():
    package = files("harness.datasets.mocap_actions")
    assert len((package / "motion.npz").read_bytes()) < 400_000
    notice = (package / "NOTICE").read_text()
    assert all(word in notice for word in ("pybullet", "zlib", "DeepMimic", "mocap.cs.cmu.edu", "mocap.cs.sfu.ca"))
    assert "may not resell this data directly" in " ".join(notice.split())


def test_a_wheel_carries_the_notice_as_a_licence():
    text = (Path(__file__).parents[3] / "pyproject.toml").read_text()
    assert re.search(r"^license-files = \[.*harness/datasets/mocap_actions/NOTICE.*\]$", text, re.MULTILINE)
