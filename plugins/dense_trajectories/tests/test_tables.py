"""Trajectories on disk: computed once, under names of their own."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables, grey


def test_trajectories_are_computed_once(boxed, own_home):
    some, _ = boxed
    first = Tables(Settings()).load(some)
    (files,) = [sorted(own_home.rglob("*.npy"))]
    assert len(files) == 2
    stamps = [file.stat().st_mtime_ns for file in files]
    again = Tables(Settings()).load(some)
    assert [file.stat().st_mtime_ns for file in files] == stamps
    assert all(np.array_equal(one, other) for one, other in zip(first, again, strict=True))
    Tables(Settings(compensate=False)).load(some)
    assert len(list(own_home.rglob("*.npy"))) == 4


def test_tables_described_on_cuda_have_names_of_their_own():
    cpu, cuda = (Tables(Settings(), device)._recipe() for device in ("cpu", "cuda:1"))
    assert Tables(Settings())._recipe() == cpu
    assert cuda == Tables(Settings(), "cuda")._recipe() != cpu


def test_boxes_of_humans_are_kept_out_of_the_cameras_motion(boxed, own_home):
    some, write = boxed
    write([[0, 0, 64, 48]])
    plain, ours = Tables(Settings()).load(some), Tables(Settings(), boxes="ours").load(some)
    expected = extract(grey(some.read(0)), boxes=[[[0, 0, 64, 48]]] * some.videos[0].frames)
    assert np.array_equal(ours[0], expected.table)
    assert not np.array_equal(ours[0], plain[0])
    write([])
    assert np.array_equal(Tables(Settings(), boxes="ours").load(some)[0], plain[0])
    assert len(list((own_home / "trajectories").rglob("*.npy"))) == 6  # other boxes, other names


def test_workers_start_without_torch():
    """Importing it takes longer than the trajectories of a short video."""
    code = "import sys, harness_dense_trajectories.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
