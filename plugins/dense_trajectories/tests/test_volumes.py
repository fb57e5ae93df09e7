"""Volumes on disk: of the rows of the tables, cut out once, whole or not at all."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch

from harness.datasets.folders import VideoFolders
from harness.errors import DataError, UsageError
from harness.system import processes
from harness.video.write import write_video
from harness_dense_trajectories import volumes
from harness_dense_trajectories.extract import extract
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.tables import Tables, grey
from harness_dense_trajectories.trajectories import column
from harness_dense_trajectories.volumes import Volumes, chosen_rows


@pytest.fixture
def some(boxed):
    split, _ = boxed
    return split


@pytest.fixture
def in_process(monkeypatch):
    """Work in this process, in place of workers; the positions of the videos that are worked on."""
    worked = []

    def work_here(work, jobs, **_):
        for job in jobs:
            worked.append(getattr(job, "index", None))
            yield job, work(job)

    monkeypatch.setattr(processes, "imap_isolated", work_here)
    return worked


def stamps(home):
    return {path: path.stat().st_mtime_ns for path in home.rglob("*.npy")}


def test_volumes_are_of_rows_of_the_table(some):
    volumes = Volumes(Settings(), per_video=5).load(some)
    for index, cut in enumerate(volumes):
        extracted = extract(grey(some.read(index)), volumes=True)
        table = Tables(Settings()).load(some)[index]
        assert np.array_equal(table, extracted.table)
        rows = chosen_rows(len(table), 5)
        assert (cut.shape, cut.dtype) == ((5, 12, 16, 16), np.uint8)
        assert np.array_equal(cut, extracted.volumes[rows])


def test_a_volume_shows_the_frames_around_its_track(some):
    cut = Volumes(Settings(), per_video=8).load(some, [1])[0]
    frames, trajectories = grey(some.read(1)), extract(grey(some.read(1)))
    seen = 0
    for volume, row in zip(cut, chosen_rows(len(trajectories.table), 8), strict=True):
        if trajectories.table[row, column("scale")] == 1:
            for number, picture in enumerate(volume, 2):
                x, y = np.rint(trajectories.tracks[row, number]).astype(int) - 16
                left, top = np.clip(x, 0, 64 - 32), np.clip(y, 0, 48 - 32)
                around = frames[trajectories.frame[row] + number, top : top + 32, left : left + 32]
                assert abs(picture.mean() - around.mean()) <= 0.51  # halving rounds
            seen += 1
    assert seen


def test_files_are_written_once(some, own_home, in_process):
    first = Volumes(Settings()).load(some, [1, 0, 1])
    assert in_process == [1, 0]
    before = stamps(own_home)
    assert len(before) == 4
    tables = Tables(Settings()).load(some)
    again = Volumes(Settings()).load(some)
    assert in_process == [1, 0]
    assert stamps(own_home) == before
    assert [len(cut) for cut in again] == [len(table) for table in tables]
    assert [len(cut) for cut in first] == [len(tables[index]) for index in (1, 0, 1)]
    assert np.array_equal(first[0], first[2])
    assert np.array_equal(first[0], again[1])
    assert [len(cut) for cut in first[1:]] == [len(cut) for cut in again]


def test_tables_that_are_there_stay(some, own_home, in_process):
    Tables(Settings()).load(some)
    before = stamps(own_home)
    Volumes(Settings()).load(some)
    now = stamps(own_home)
    assert len(before) == 2
    assert len(now) == 4
    assert before.items() <= now.items()


def test_a_table_that_was_deleted_is_written_again(some, own_home, in_process):
    first = np.array(Volumes(Settings()).load(some, [0])[0])
    (table,) = (own_home / "trajectories").rglob("*.npy")
    table.unlink()
    assert np.array_equal(Volumes(Settings()).load(some, [0])[0], first)
    assert table.exists()
    assert in_process == [0, 0]


def test_other_settings_boxes_and_numbers_have_other_files(boxed, own_home, in_process):
    some, write = boxed
    write([[0, 0, 64, 48]])
    kinds = [
        Volumes(Settings()),
        Volumes(Settings(compensate=False)),
        Volumes(Settings(), boxes="ours"),
        Volumes(Settings(), per_video=3),
    ]
    loaded = [kind.load(some, [0])[0] for kind in kinds]
    assert len(list((own_home / "volumes").rglob("*.npy"))) == 4
    assert len(list((own_home / "trajectories").rglob("*.npy"))) == 3
    expected = extract(grey(some.read(0)), boxes=[[[0, 0, 64, 48]]] * some.videos[0].frames, volumes=True)
    assert np.array_equal(loaded[2], expected.volumes)
    assert not np.array_equal(loaded[2], loaded[0])
    assert np.array_equal(loaded[3], loaded[0][chosen_rows(len(loaded[0]), 3)])
    write([])
    Volumes(Settings(), boxes="ours").load(some, [0])
    assert len(list((own_home / "volumes").rglob("*.npy"))) == 5


KILLED = """
import dataclasses, os, signal
import numpy as np
from harness.system import processes
from harness.testing import MovingSquares
from harness_dense_trajectories.settings import Settings
from harness_dense_trajectories.trajectories import column
from harness_dense_trajectories.volumes import Volumes

saved, save = [], np.save

def save_or_die(file, array, **options):
    saved.append(array)
    if len(saved) == 4:
        file.write(b"half")
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)
    save(file, array, **options)

np.save = save_or_die
processes.imap_isolated = lambda work, jobs, **_: ((job, work(job)) for job in jobs)
Volumes(Settings()).load(MovingSquares().split("test"), [0, 1])
"""


def test_what_is_done_survives_a_kill(some, own_home):
    """It comes in the middle of the second video's volumes."""
    environment = os.environ | {"HARNESS_HOME": str(own_home)}
    killed = subprocess.run([sys.executable, "-c", KILLED], env=environment, capture_output=True, check=False)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    done = stamps(own_home)
    assert sorted(np.load(path).ndim for path in done) == [2, 2, 4]
    loaded = Volumes(Settings()).load(some)
    assert len(stamps(own_home)) == 4
    assert done.items() <= stamps(own_home).items()
    assert all(
        np.array_equal(cut, extract(grey(frames), volumes=True).volumes)
        for cut, frames in zip(loaded, some.frames, strict=True)
    )


def test_a_video_without_trajectories_has_an_empty_array(some):
    still = [torch.zeros(20, 48, 64, 3, dtype=torch.uint8), torch.zeros(1, 48, 64, 3, dtype=torch.uint8)]
    videos = [
        dataclasses.replace(video, content="", frames=len(frames))
        for video, frames in zip(some.videos, still, strict=True)
    ]
    empty = dataclasses.replace(some, videos=tuple(videos), frames=tuple(still))
    for cut in Volumes(Settings()).load(empty):
        assert (cut.shape, cut.dtype) == ((0, 12, 16, 16), np.uint8)


@pytest.fixture
def on_disk(own_home, squares):
    """A split of two files, and their folder."""
    folder = own_home / "files"
    for index in range(3):
        name = f"{'train' if index == 2 else 'test'}/square/{index}.avi"
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_video(folder / name, squares.split("test").read(index).numpy(), 25)
    return VideoFolders(location=folder).split("test"), folder / "test" / "square"


@pytest.mark.parametrize("harm", [lambda path: path.write_bytes(path.read_bytes()[:5000]), lambda path: path.unlink()])
def test_a_corrupt_or_missing_file_is_named(on_disk, harm, in_process):
    split, folder = on_disk
    assert len(Volumes(Settings()).load(split, [0])[0]) > 0
    harm(folder / "1.avi")
    with pytest.raises(DataError, match=r"square/1\.avi"):
        Volumes(Settings()).load(split)


def test_a_worker_that_fails_names_the_video(some):
    tiny = dataclasses.replace(some, frames=tuple(frames[:, :20] for frames in some.frames))
    with pytest.raises(DataError, match=rf"video '{some.videos[0].id}': its volumes .*at least 32 pixels"):
        Volumes(Settings()).load(tiny)


@pytest.mark.parametrize("change", [lambda table: table[1:], lambda table: table + 1])
def test_a_table_with_other_trajectories_is_refused(some, own_home, change):
    Tables(Settings()).load(some, [0])
    (path,) = own_home.rglob("*.npy")
    np.save(path, change(np.load(path)))
    with pytest.raises(DataError, match=rf"'{some.videos[0].id}'.*{path.name} has other trajectories.*delete"):
        Volumes(Settings()).load(some, [0])
    assert not (own_home / "volumes").exists()


def test_a_damaged_table_is_named_and_not_the_video_given_up(some, own_home):
    Tables(Settings()).load(some, [0])
    (path,) = own_home.rglob("*.npy")
    path.write_bytes(b"")
    with pytest.raises(
        DataError, match=rf"'{some.videos[0].id}'.*{path.name}: .*cannot be read.*delete the file and run again$"
    ):
        Volumes(Settings()).load(some, [0])


def test_a_table_with_other_roundings_will_do(some, own_home, in_process):
    Tables(Settings()).load(some, [0])
    (path,) = own_home.rglob("*.npy")
    np.save(path, np.load(path) + np.float32(1e-3))
    assert len(Volumes(Settings()).load(some, [0])[0]) == len(np.load(path))


def test_rows_are_drawn_evenly_and_the_same_again():
    assert chosen_rows(0, 3).tolist() == []
    assert chosen_rows(3, 3).tolist() == [0, 1, 2]
    rows = chosen_rows(100_000, 10_000)
    assert rows.dtype == np.int64
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, chosen_rows(100_000, 10_000))
    deciles = np.bincount(rows // 10_000, minlength=10)
    assert len(deciles) == 10
    assert (abs(deciles - 1000) < 150).all()  # five standard deviations
    assert chosen_rows(2000, 4).tolist() == [269, 855, 921, 1185]  # files on disk rely on it


def test_a_video_has_one_volume_at_least():
    with pytest.raises(UsageError, match="per_video must be at least 1, got 0"):
        Volumes(Settings(), per_video=0)


def test_names_follow_the_code(some, own_home, in_process, monkeypatch):
    Volumes(Settings()).load(some, [0])
    monkeypatch.setattr(volumes, "module_hash", lambda module: f"{module} of another day")
    Volumes(Settings()).load(some, [0])
    assert len(list((own_home / "volumes").rglob("*.npy"))) == 2
    assert len(list((own_home / "trajectories").rglob("*.npy"))) == 1


def test_workers_start_without_torch():
    """Importing it takes longer than the trajectories of a short video."""
    code = "import sys, harness_dense_trajectories.volumes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
