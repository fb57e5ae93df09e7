"""The folder: determinism, lists, manifest, and what happens when drawing is disturbed."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest

from harness.datasets.mocap_actions import build as building
from harness.datasets.mocap_actions.build import build, build_spec, complete
from harness.datasets.mocap_actions.places import KINDS
from harness.datasets.mocap_actions.plan import SIZES, Spec
from harness.errors import StoreError, UsageError
from harness.video.probe import probe
from harness.video.write import write_video

TINY = Spec(clips=2, frames=5, fps=12.5, width=64, height=48, groups=22, classes=2)
FEW = replace(TINY, groups=6, classes=1)
TINIEST = Spec(clips=1, frames=2, fps=12.5, width=64, height=48, groups=2, classes=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_spec(tmp_path_factory.mktemp("drawn") / "tiny", TINY, biased=True, workers=1)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    return build_spec(tmp_path_factory.mktemp("drawn") / "few", FEW, biased=True, workers=1)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def manifest(folder):
    return json.loads((folder / "manifest.json").read_text())


def test_two_workers_draw_the_same_bytes_as_one(tmp_path, folder):
    again = build_spec(tmp_path / "again", TINY, biased=True, workers=2)
    assert contents(again) == contents(folder)


def test_the_layout_is_ucf101s(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "joints", "manifest.json", "scenes.csv", "ucfTrainTestlist", "videos",
    ]  # fmt: skip
    lists = folder / "ucfTrainTestlist"
    assert (lists / "classInd.txt").read_text() == "1 Backflip\n2 Cartwheel\n"
    assert (lists / "testlist02.txt").read_text().splitlines()[0] == "Backflip/v_Backflip_g08_c01.avi"
    assert (lists / "trainlist01.txt").read_text().splitlines()[-1] == "Cartwheel/v_Cartwheel_g22_c02.avi 2"
    videos = {str(path.relative_to(folder / "videos")) for path in (folder / "videos").rglob("*.avi")}
    for split in ("01", "02", "03"):
        train = [line.split()[0] for line in (lists / f"trainlist{split}.txt").read_text().splitlines()]
        test = (lists / f"testlist{split}.txt").read_text().splitlines()
        assert len(train) == 2 * 15 * 2
        assert len(test) == 2 * 7 * 2
        assert set(train) | set(test) == videos
        assert not {path.rpartition("_")[0] for path in train} & {path.rpartition("_")[0] for path in test}


def test_the_manifest_says_what_the_files_are(folder):
    written = manifest(folder)
    assert (written["name"], written["seed"], written["size"], written["biased"]) == ("mocap-actions", 0, "other", True)
    assert len(written["videos"]) == 2 * 22 * 2
    for video in written["videos"][::9]:
        path = folder / video["path"]
        found = probe(path)
        sizes = (found.frames, found.fps, found.width, found.height)
        assert sizes == (video["frames"], video["fps"], video["width"], video["height"])
        assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (video["bytes"], video["sha256"])
        assert video["class"] in path.name
        assert f"_{video['group']}_" in path.name


def test_joints_and_scenes_are_there_for_every_video(folder):
    with (folder / "scenes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [f"videos/{row['video']}.avi" for row in rows] == [video["path"] for video in manifest(folder)["videos"]]
    for row in rows:
        assert list(KINDS)[int(row["index"])] == row["scene"]
        with np.load(folder / "joints" / f"{row['video']}.npz", allow_pickle=False) as arrays:
            assert (arrays["joints"].shape, arrays["joints"].dtype) == ((5, 9, 2), np.float32)
            assert (arrays["visible"].shape, arrays["visible"].dtype) == ((5, 9), bool)
    by_group = {(row["video"].rpartition("_")[0], row["scene"]) for row in rows}
    assert len(by_group) == 2 * 22


def test_what_is_complete_is_not_drawn_again(tmp_path, monkeypatch):
    folder = build_spec(tmp_path / "drawn", TINIEST, biased=False, workers=1)
    monkeypatch.setattr(building, "_draw", lambda *_, **__: pytest.fail("drawn again"))
    assert build_spec(folder, TINIEST, biased=False) == folder
    assert not complete(folder, TINIEST, biased=True)
    assert not complete(folder, TINIEST, biased=False, seed=1)
    assert not complete(folder, replace(TINIEST, version=1), biased=False)
    monkeypatch.setattr(building, "drawing_code", lambda: "edited")
    assert not complete(folder, TINIEST, biased=False)


def test_what_was_damaged_is_drawn_again(tmp_path):
    folder = build_spec(tmp_path / "drawn", TINIEST, biased=False, workers=1)
    whole = contents(folder)
    video = next((folder / "videos").rglob("*.avi"))
    video.write_bytes(video.read_bytes()[:-10])
    build_spec(folder, TINIEST, biased=False, workers=1)
    assert contents(folder) == whole
    assert [path.name for path in tmp_path.iterdir() if path.name != ".drawn.lock"] == ["drawn"]


def left_behind(tmp_path):
    return [path.name for path in tmp_path.iterdir() if path.name not in {".drawn.lock", "drawn"}]


def test_what_another_drawing_left_is_thrown_away(tmp_path):
    left = tmp_path / ".drawn.drawing" / "data" / "videos" / "Backflip"
    left.mkdir(parents=True)
    (left / "half.avi").write_bytes(b"half")
    (tmp_path / ".drawn.drawing" / "identity.json").write_text('{"name": "mocap-actions", "code": "other"}')
    folder = build_spec(tmp_path / "drawn", TINIEST, biased=False, workers=1)
    assert "videos/Backflip/half.avi" not in contents(folder)
    assert left_behind(tmp_path) == []


def stopped_after(count, error, monkeypatch):
    """Videos are written by this test until `count` of them are; then comes the error."""
    written = []

    def write(path, *arguments):
        if len(written) == count:
            raise error
        written.append(path.name)
        write_video(path, *arguments)

    monkeypatch.setattr(building, "write_video", write)
    return written


def test_an_interrupted_drawing_goes_on(tmp_path, few, monkeypatch):
    with monkeypatch.context() as stopping, pytest.raises(KeyboardInterrupt):
        stopped_after(7, KeyboardInterrupt, stopping)
        build_spec(tmp_path / "drawn", FEW, biased=True, workers=1)
    assert not (tmp_path / "drawn").exists()
    assert left_behind(tmp_path) == [".drawn.drawing"]
    (tmp_path / ".drawn.drawing" / "data" / "videos" / "Backflip" / ".v.avi.x.tmp").write_bytes(b"half")
    written = stopped_after(None, None, monkeypatch)
    drawn = build_spec(tmp_path / "drawn", FEW, biased=True, workers=1)
    assert len(written) == 6 * 2 - 6  # the group of the seventh has none whole
    assert contents(drawn) == contents(few)
    assert left_behind(tmp_path) == []


def test_a_drawing_that_was_killed_goes_on(tmp_path, folder):
    """Two workers, killed with their parent in the middle of it."""
    script = (
        "import pathlib\n"
        "from harness.datasets.mocap_actions.build import build_spec\n"
        "from harness.datasets.mocap_actions.plan import Spec\n"
        f"build_spec(pathlib.Path({str(tmp_path / 'drawn')!r}), {TINY!r}, biased=True, workers=2)\n"
    )
    groups = tmp_path / ".drawn.drawing" / "groups"
    process = subprocess.Popen([sys.executable, "-c", script], start_new_session=True, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not groups.is_dir() or len(list(groups.glob("*.json"))) < 5:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path.name: path.stat().st_mtime_ns for path in groups.glob("*.json")}
    videos = tmp_path / ".drawn.drawing" / "data" / "videos"
    drawn_before = {path.name: path.stat().st_mtime_ns for path in videos.rglob("v_*.avi")}
    assert 5 <= len(kept) < 44
    drawn = build_spec(tmp_path / "drawn", TINY, biased=True, workers=1)
    assert contents(drawn) == contents(folder)
    after = {path.name: path.stat().st_mtime_ns for path in drawn.rglob("v_*.avi")}
    assert sum(after[name] == at for name, at in drawn_before.items()) >= 2 * len(kept)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(
    ("kind", "left"),
    [
        ("*_c01.avi", b"short"),
        ("*_c01.avi", None),
        ("*_c01.npz", b""),  # files of joints are there whole or not at all
        ("*.json", b"short"),
        ("*.json", None),
    ],
)
def test_what_is_not_whole_is_drawn_again(tmp_path, few, monkeypatch, kind, left):
    with monkeypatch.context() as stopping, pytest.raises(KeyboardInterrupt):
        stopped_after(8, KeyboardInterrupt, stopping)
        build_spec(tmp_path / "drawn", FEW, biased=True, workers=1)
    path = next(path for path in (tmp_path / ".drawn.drawing").rglob(kind) if path.name != "identity.json")
    path.unlink() if left is None else path.write_bytes(left)
    assert contents(build_spec(tmp_path / "drawn", FEW, biased=True, workers=1)) == contents(few)


def test_a_full_disk_is_one_line(tmp_path, monkeypatch):
    with monkeypatch.context() as full, pytest.raises(StoreError, match=r"No space left.*make room.*goes on") as caught:
        stopped_after(1, OSError(28, "No space left on device"), full)
        build_spec(tmp_path / "drawn", TINIEST, biased=False, workers=1)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "drawn").exists()
    written = stopped_after(None, None, monkeypatch)
    assert complete(build_spec(tmp_path / "drawn", TINIEST, biased=False, workers=1), TINIEST, biased=False)
    assert len(written) == 1


@pytest.mark.parametrize("name", ["holiday.avi", "manifest.json"])
def test_somebodys_folder_is_left_alone(tmp_path, name):
    (tmp_path / name).write_text('{"name": "another"}')
    with pytest.raises(UsageError, match="no drawing of mocap-actions"):
        build(tmp_path, size="mini", biased=True)
    assert (tmp_path / name).read_text() == '{"name": "another"}'


def test_two_processes_at_once_draw_one_whole_folder(tmp_path):
    script = (
        "import sys, pathlib\n"
        "from harness.datasets.mocap_actions.build import build_spec\n"
        "from harness.datasets.mocap_actions.plan import Spec\n"
        f"build_spec(pathlib.Path(sys.argv[1]), {TINIEST!r}, biased=False, workers=1)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "drawn")]
    processes = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert complete(tmp_path / "drawn", TINIEST, biased=False)
    assert sum("drawing mocap-actions-unbiased ..." in text for text in said) == 1


def test_a_script_without_a_main_guard_draws(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import pathlib\n"
        "from harness.datasets.mocap_actions.build import build_spec\n"
        "from harness.datasets.mocap_actions.plan import Spec\n"
        f"build_spec(pathlib.Path({str(tmp_path / 'drawn')!r}), {TINIEST!r}, biased=False, workers=2)\n"
    )
    ended = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0, ended.stderr
    assert complete(tmp_path / "drawn", TINIEST, biased=False)


def test_the_two_sizes():
    videos = {name: spec.classes * spec.groups * spec.clips for name, spec in SIZES.items()}
    assert videos == {"mini": 750, "full": 2625}
