"""Trajectories on disk: computed once, under names of their own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.errors import DataError
from harness.system.processes import CrashedError
from harness.values import Budget
from harness_dense_trajectories import tables
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import MappedTables, Tables, grey
from harness_dense_trajectories.trajectories import WIDTH
from harness_dense_trajectories.volumes import Volumes


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


@pytest.fixture
def numbered(squares, tmp_path, monkeypatch):
    """A split, with tables of 2,000 rows whose first two columns number the video and the row."""
    split = squares.split("train").unlabelled()
    for video in range(len(split)):
        table = np.zeros((2000 if video else 0, WIDTH), np.float32)
        table[:, 0], table[:, 1] = video, np.arange(len(table))
        np.save(tmp_path / f"{video}.npy", table)
    monkeypatch.setattr(
        Tables, "load", lambda _, split, chosen: MappedTables([tmp_path / f"{video}.npy" for video in chosen])
    )
    return split


@pytest.mark.parametrize("videos", [1, 5, 3500])
def test_rows_are_drawn_of_so_many_videos(numbered, videos):
    budget = Budget(frames=10**9, seed=3)
    rows = Tables(Settings()).sample(numbered, budget, 100, videos=videos, least=0)
    random = np.random.default_rng(3)
    chosen = random.permutation(len(numbered))[:videos]
    drawn = {video: np.sort(random.permutation(2000 if video else 0)[:100]) for video in chosen.tolist()}
    assert rows[:, :2].tolist() == [[video, row] for video, numbers in drawn.items() for row in numbers]


def test_the_budget_bounds_the_videos_too(numbered):
    frames = numbered.videos[0].frames
    rows = Tables(Settings()).sample(numbered, Budget(frames=2 * frames, seed=3), 100, videos=3500, least=0)
    assert len(np.unique(rows[:, 0])) == 2


def test_memory_is_that_of_the_rows_drawn(numbered):
    def peak(videos):
        tracemalloc.start()
        rows = Tables(Settings()).sample(numbered, Budget(frames=10**9, seed=3), 500, videos=videos, least=0)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - rows.nbytes

    assert peak(9) < peak(3) + 2**19 < 3 * 2**20


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files where Linux lists them")
def test_a_table_is_closed_with_its_last_use(numbered):
    tables = Tables(Settings()).load(numbered, [1, 2, 3] * 50)
    before = open_files()
    most = max(open_files() for _ in tables)
    assert len(tables[10:20]) == 10
    assert [table[0, 0] for table in tables[1:4]] == [2, 3, 1]
    assert before < most <= before + 3


def test_a_damaged_table_is_named(tmp_path):
    path = tmp_path / "table.npy"
    np.save(path, np.zeros((3, WIDTH), np.float32))
    assert len(MappedTables([path])[0]) == 3
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=f"^{path}: the trajectories of a video cannot be read .* delete the file"):
        MappedTables([path])[0]


@pytest.mark.parametrize(("device", "workers"), [("cuda", 8), ("cuda:1", 8), ("cpu", None)])
def test_one_gpu_is_shared_by_few_workers_of_its_machine(boxed, monkeypatch, device, workers):
    asked = []

    def imap(work, jobs, **options):
        asked.append((options.get("workers"), [options["size"](job) for job in jobs]))
        return ()

    monkeypatch.setattr(tables.processes, "imap_here" if workers else "imap_isolated", imap)
    monkeypatch.setattr(tables.processes, "allowed_processors", lambda: 64)
    some, _ = boxed
    Tables(Settings(), device).load(some)
    assert asked == [(workers, [24 * 48 * 64] * 2)]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError("no more"),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: out of memory"),
        CrashedError(-signal.SIGKILL),
    ],
)
def test_want_of_memory_is_no_fault_of_the_video(boxed, monkeypatch, error):
    monkeypatch.setattr(tables.processes, "imap_isolated", lambda work, jobs, **_: ((job, error) for job in jobs))
    (some, _), said = boxed, re.escape(str(error))
    with pytest.raises(MemoryError, match=rf"'{some.videos[0].id}': its trajectories .* for want of memory \({said}"):
        Tables(Settings()).load(some)
    with pytest.raises(MemoryError, match=rf"'{some.videos[0].id}': its volumes .* for want of memory \({said}"):
        Volumes(Settings()).load(some)


def test_workers_start_without_torch():
    """Importing it takes longer than the trajectories of a short video."""
    code = "import sys, harness_dense_trajectories.tables; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
