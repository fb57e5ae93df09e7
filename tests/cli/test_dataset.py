"""`harness dataset`: places remembered, files checked, contact sheets."""

from __future__ import annotations

import json
import shutil

import cv2
import pytest


@pytest.fixture
def config(tmp_path, monkeypatch):
    path = tmp_path / "config" / "datasets.yaml"
    monkeypatch.setenv("HARNESS_CONFIG", str(path))
    return path


@pytest.mark.usefixtures("config")
def test_a_place_is_told_once(harness, ucf101, config):
    assert "nothing says where it lies" in harness("dataset", "check", "ucf101").stderr
    added = harness("dataset", "add", "ucf101", str(ucf101))
    assert (added.returncode, added.stdout) == (0, f"ucf101 lies at {ucf101}\n")
    assert config.read_text() == f"datasets:\n  ucf101: {ucf101}\n"
    assert "in place of" not in harness("dataset", "add", "ucf101", str(ucf101)).stderr
    harness("dataset", "add", "ucf101", ".")
    assert f"in place of {harness.folder}\n" in harness("dataset", "add", "ucf101", str(ucf101)).stderr
    checked = harness("dataset", "check", "ucf101", "--set", "fold=2")
    assert checked.returncode == 0, checked.stderr
    assert checked.stdout.splitlines()[1].split()[:5] == ["train", "45", "45", "100.0", "%"]
    assert checked.stdout.endswith("ucf101: sound\n")
    shown = harness("dataset", "show", "ucf101", "-o", "sheet.png")
    assert shown.stdout == "sheet.png\n"
    assert cv2.imread(str(harness.folder / "sheet.png")).shape[0] > 3 * 80


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("add", "ucf1O1", "."), 2, "did you mean 'ucf101'"),
        (("add", "ucf101", "nowhere"), 4, "nothing is there"),
        (
            ("add", "ucf101", "~nobody-has-this-name/x"),
            2,
            "~nobody-has-this-name/x: begins with a home folder of nobody",
        ),
        (("add", "mocap-actions", "."), 2, "needs no place"),
        (("check", "ucf101", "--set", "fold=4"), 2, "fold"),
        (("check", "ucf101", "--set", "subset=-1"), 2, "subset"),
    ],
)
def test_wrong_words(harness, config, arguments, code, message):
    done = harness("dataset", *arguments)
    assert (done.returncode, message in done.stderr) == (code, True), done.stderr
    assert not config.exists()


def test_everything_that_is_wrong_is_named(harness, ucf101, config, monkeypatch):
    monkeypatch.setenv("HARNESS_DATA_UCF101", str(ucf101))
    assert harness("dataset", "check", "ucf101").returncode == 0
    videos = sorted((ucf101 / "UCF-101" / "Backflip").iterdir())  # groups 1 to 22; fold 1 tests 1 to 7
    videos[0].unlink()
    videos[1].write_bytes(b"")
    videos[8].write_text("no video")
    shutil.copy(videos[2], videos[9])
    done = harness("dataset", "check", "ucf101", "--json")
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    names = [f"UCF-101/Backflip/{video.name}" for video in videos]
    assert report["splits"]["test"]["left_out"] == {names[0]: "missing", names[1]: "empty"}
    assert report["splits"]["train"]["left_out"] == {names[8]: "not-video"}
    assert list(report["splits"]["train"]["changed"]) == [videos[9].stem]
    assert report["doubled"] == {"train, test": [[videos[9].stem, videos[2].stem]]}
    assert len(report["splits"]["train"]["short"]) == report["splits"]["train"]["videos"] == 44
    for video in (ucf101 / "UCF-101" / "Crawl").iterdir():
        if 1 <= int(video.stem[-6:-4]) <= 7:
            video.unlink()
    text = harness("dataset", "check", "ucf101").stdout
    for part in (
        "not-video",
        "missing",
        "the same file in train, test",
        "test: no video of action\n  Crawl",
        "NOT sound",
    ):
        assert part in text, part
