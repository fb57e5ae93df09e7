"""Seeks that are right, or not made."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.video import seek_index
from harness.video.container import frames as decoded
from harness.video.container import opened
from harness.video.decode import count_frames, decode
from harness.video.write import write_video

from .conftest import drift, pyav_frames


@pytest.fixture
def seeks(monkeypatch):
    """Counts seeks; nothing is known of any file yet."""
    made = []
    walk = seek_index._from_key

    def counted(container, stream, known, run, *, fresh):
        if run[0] >= 12:  # later than the first key frame's frames
            made.append(run)
        return walk(container, stream, known, run, fresh=fresh)

    monkeypatch.setattr(seek_index, "_from_key", counted)
    seek_index.forget()
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
@settings(max_examples=15, deadline=None)
@given(frames=st.lists(st.integers(0, 29), min_size=1, max_size=6))
def test_frames_after_a_seek_are_those_without(files, name, frames):
    count_frames(files[name])
    assert np.array_equal(decode(files[name], frames), pyav_frames(files[name])[frames])


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mp4", "h264.mkv"])
@settings(max_examples=15, deadline=None)
@given(frames=st.lists(st.integers(0, 29), min_size=1, max_size=6))
def test_a_first_visit_that_knows_how_many_frames_decode_gives_the_same(files, name, frames):
    seek_index.forget()
    assert np.array_equal(decode(files[name], frames, total=30), pyav_frames(files[name])[frames])


def test_a_first_visit_seeks_when_each_packet_is_a_frame(short_gop, seeks):
    path, whole = short_gop
    assert np.array_equal(decode(path, [30, 31], total=60), whole[[30, 31]])
    assert seeks == [[30, 31]]
    assert np.array_equal(decode(path, [50]), whole[[50]])  # all is known after one visit
    assert seeks == [[30, 31], [50]]


@pytest.mark.parametrize("total", [1, 59, 61])
def test_a_wrong_total_changes_no_frame(short_gop, seeks, total):
    path, whole = short_gop
    for frames in ([30, 31], [55], [2]):
        assert np.array_equal(decode(path, frames, total=total), whole[frames])
    with pytest.raises(DataError, match="frame 60 was asked for, but 60 decode"):
        decode(path, [60], total=total)


def test_a_packet_that_does_not_decode_shifts_the_frames_after_it(short_gop, tmp_path, seeks):
    """Its time stamp stands in the file like the others', so that only counting tells."""
    path, _ = short_gop
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][5]
        start, size = packet.pos, packet.size
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    broken = tmp_path / "broken.avi"
    broken.write_bytes(bytes(content))
    seek_index.forget()
    whole = decode(broken)
    assert len(whole) < 60
    seek_index.forget()
    assert np.array_equal(decode(broken, [40, 41], total=len(whole)), whole[[40, 41]])
    assert not seeks


def test_what_lies_between_wanted_frames_is_jumped_over(short_gop, seeks):
    path, whole = short_gop
    count_frames(path)
    for frames in ([1, 2, 27, 28, 50], [3, 9, 15, 21, 27], list(range(0, 60, 3)), [0, 59]):
        assert np.array_equal(decode(path, frames), whole[frames])
    assert seeks == [[27, 28], [50], [59]]


def test_frames_that_no_other_needs_are_not_decoded(files):
    """H.264's frames say so; what is decoded must not change for it."""
    with opened(files["h264.mp4"]) as (container, stream):
        everything = [(frame.pts, bytes(frame.planes[0])) for frame in decoded(container, stream)]
    unwanted = {time for time, _ in everything[1:]}
    with opened(files["h264.mp4"]) as (container, stream):
        needed = [(frame.pts, bytes(frame.planes[0])) for frame in decoded(container, stream, unwanted)]
    assert 2 <= len(needed) < len(everything) - 5
    assert set(needed) < set(everything)


def spoil_times(known):
    known.times[36] += 1


def spoil_sums(known):
    known.sums[3] ^= 1


def spoil_keys(known):
    known.keys[3] += 1  # a frame that needs others is taken for a key frame


@pytest.mark.parametrize("spoil", [spoil_times, spoil_sums, spoil_keys])
def test_a_seek_that_meets_other_frames_is_given_up(short_gop, seeks, spoil):
    path, whole = short_gop
    count_frames(path)
    (known,) = seek_index._known.values()
    spoil(known)
    assert np.array_equal(decode(path, [39, 40]), whole[[39, 40]])
    assert len(seeks) == 1


def test_another_file_in_its_place_is_decoded_anew(tmp_path, seeks):
    path = tmp_path / "a.avi"
    write_video(path, drift(40), 25)
    count_frames(path)
    write_video(path, drift(40, seed=1), 25)
    os.utime(path, ns=(1, 1))
    assert np.array_equal(decode(path, [30]), pyav_frames(path)[[30]])
    assert not seeks


def test_a_process_remembers_a_bounded_number_of_files(tmp_path, seeks, monkeypatch):
    monkeypatch.setattr(seek_index, "LIMIT", 2)
    for name in ("a.avi", "b.avi", "c.avi"):
        write_video(tmp_path / name, drift(3), 25)
        count_frames(tmp_path / name)
    assert [os.path.basename(path) for path, _ in seek_index._known] == ["b.avi", "c.avi"]  # noqa: PTH119


def test_threads_share_what_they_learnt(short_gop, seeks):
    path, whole = short_gop
    wanted = [[n, 59 - n] for n in range(30)] * 2
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda frames: decode(path, frames), wanted))
    assert all(np.array_equal(a, whole[frames]) for a, frames in zip(found, wanted, strict=True))
