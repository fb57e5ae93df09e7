"""Opaque records and their order."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import pytest

from harness.testing import MovingSquares
from harness.values import Box
from harness.video.anonymous import HiddenFiles, anonymous, hidden_order

VIDEOS = MovingSquares().split("train").videos


def test_the_order_depends_on_what_the_videos_show_alone():
    shown = [VIDEOS[position].content for position in hidden_order(VIDEOS)]
    renamed = [
        replace(video, id=f"x{n}", group="g", labels={"action": 0}, path=Path("p")) for n, video in enumerate(VIDEOS)
    ]
    turned = renamed[::-1]
    assert [turned[position].content for position in hidden_order(turned)] == shown
    assert sorted(shown) != shown != [video.content for video in VIDEOS]


def test_copies_keep_their_order_and_get_ids_of_their_own():
    first, second = VIDEOS[:2]
    videos = [first, second, replace(first, id="copy"), replace(first, box=Box(0, 0, 9, 9))]
    order = hidden_order(videos)
    assert order.index(0) + 1 == order.index(2)
    ids = [video.id for video in anonymous(videos)]
    assert len(set(ids)) == 4
    assert ids[2] == f"{ids[0]}-1"


def test_a_video_of_unknown_content_is_known_by_its_id():
    unknown = [replace(video, content="") for video in VIDEOS]
    assert hidden_order(unknown) != sorted(hidden_order(unknown))
    assert len({video.id for video in anonymous(unknown)}) == len(unknown)
    assert not {video.id for video in anonymous(unknown)} & {video.id for video in unknown}


def test_hidden_files_are_found_again_and_not_told(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    files = HiddenFiles([Path("Archery/v_1.avi"), tmp_path / "caf\udce9.avi"])
    assert repr(files) == "HiddenFiles(2)"
    content = pickle.dumps(files)
    assert b"Archery" not in content
    assert len(content) < 200
    again = pickle.loads(content)
    assert [again.locate(0), again.locate(1)] == [tmp_path / "Archery/v_1.avi", files.locate(1)]
    assert pickle.loads(pickle.dumps(again)) == again
    assert len(list(tmp_path.rglob("*.json"))) == 1


@pytest.mark.parametrize("other", [HiddenFiles([Path("b")]), ("a",)])
def test_hidden_files_are_equal_by_their_files(other):
    files = HiddenFiles([Path("a")])
    assert files == HiddenFiles([Path("a")])
    assert hash(files) == hash(HiddenFiles([Path("a")]))
    assert files != other
