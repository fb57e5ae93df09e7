"""Seeks that are right, or not made."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.video import timeline
from harness.video.decode import decode, probe
from harness.video.write import write_video

from .conftest import drift, pyav_frames


@pytest.fixture
def seeks(monkeypatch):
    """Counts seeks; nothing is known of any file yet."""
    made = []
    walk = timeline._from_key

    def counted(*arguments):
        made.append(arguments)
        return walk(*arguments)

    monkeypatch.setattr(timeline, "_from_key", counted)
    timeline.forget()
    return made


@pytest.fixture(scope="module")
def short_gop(tmp_path_factory):
    path = tmp_path_factory.mktemp("seek") / "a.avi"
    write_video(path, drift(60), 25)
    return path, pyav_frames(path)


def test_only_frames_seen_before_are_sought(short_gop, seeks):
    path, whole = short_gop
    assert np.array_equal(decode(path, [30, 31]), whole[[30, 31]])
    assert not seeks
    assert np.array_equal(decode(path, [31, 29]), whole[[31, 29]])
    assert len(seeks) == 1
    assert np.array_equal(decode(path, [28, 40]), whole[[28, 40]])
    assert len(seeks) == 1
    assert np.array_equal(decode(path, [3]), whole[[3]])
    assert len(seeks) == 1


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mp4", "h264.mkv"])
@settings(max_examples=15)
@given(frames=st.lists(st.integers(0, 29), min_size=1, max_size=6))
def test_frames_after_a_seek_are_those_without(files, name, frames):
    probe(files[name])
    assert np.array_equal(decode(files[name], frames), pyav_frames(files[name])[frames])


def spoil_times(known):
    known.times[36] += 1


def spoil_sums(known):
    known.sums[3] ^= 1


def spoil_keys(known):
    known.keys[3] += 1  # a frame that needs others is taken for a key frame


@pytest.mark.parametrize("spoil", [spoil_times, spoil_sums, spoil_keys])
def test_a_seek_that_meets_other_frames_is_given_up(short_gop, seeks, spoil):
    path, whole = short_gop
    probe(path)
    (known,) = timeline._known.values()
    spoil(known)
    assert np.array_equal(decode(path, [39, 40]), whole[[39, 40]])
    assert len(seeks) == 1


def test_another_file_in_its_place_is_decoded_anew(tmp_path, seeks):
    path = tmp_path / "a.avi"
    write_video(path, drift(40), 25)
    probe(path)
    write_video(path, drift(40, seed=1), 25)
    os.utime(path, ns=(1, 1))
    assert np.array_equal(decode(path, [30]), pyav_frames(path)[[30]])
    assert not seeks


def test_a_process_remembers_a_bounded_number_of_files(tmp_path, seeks, monkeypatch):
    monkeypatch.setattr(timeline, "LIMIT", 2)
    for name in ("a.avi", "b.avi", "c.avi"):
        write_video(tmp_path / name, drift(3), 25)
        probe(tmp_path / name)
    assert [os.path.basename(path) for path, _, _ in timeline._known] == ["b.avi", "c.avi"]  # noqa: PTH119


def test_threads_share_what_they_learnt(short_gop, seeks):
    path, whole = short_gop
    wanted = [[n, 59 - n] for n in range(30)] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda frames: decode(path, frames), wanted))
    assert all(np.array_equal(a, whole[frames]) for a, frames in zip(found, wanted, strict=True))
