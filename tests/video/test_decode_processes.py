"""Decoding in processes: the same pixels, errors and counts as in this one, and crashes are told."""

from __future__ import annotations

import os
import signal

import numpy as np
import psutil
import pytest

from harness.errors import DataError
from harness.video import decode, decode_processes, tally
from harness.video.decode_processes import DecodeProcesses


@pytest.fixture(scope="module")
def processes():
    pool = DecodeProcesses(2)
    pool.start()
    yield pool
    pool.close()


def below():
    return {child.pid for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())}


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mp4", "h264.mkv"])
@pytest.mark.parametrize("short_side", [None, 32])
def test_the_same_pixels(processes, files, name, short_side, monkeypatch):
    here = decode.decode(files[name], short_side=short_side)
    some = decode.decode(files[name], [7, 3, 3, 29], short_side=short_side, total=30)
    monkeypatch.setattr(decode, "decode_here", None)  # nothing is decoded in this process
    with decode.decoded_by(processes):
        assert np.array_equal(decode.decode(files[name], short_side=short_side), here)
        assert np.array_equal(decode.decode(files[name], [7, 3, 3, 29], short_side=short_side, total=30), some)
        assert decode.decode(files[name], [], short_side=short_side).shape == (0, *here.shape[1:])


def test_frames_and_bytes_are_counted_as_if_decoded_here(processes, files):
    def counted(decoder):
        before = tally.total()
        decoder(files["mpeg4.avi"], None, 32, None)
        return [now - then for now, then in zip(tally.total(), before, strict=True)]

    assert counted(processes) == counted(decode.decode_here)
    assert counted(processes)[0] == 30


def test_processes_forget_what_the_first_visit_of_a_file_told(files):
    pool = DecodeProcesses(1)
    pool.start()

    def frames_decoded():
        before = tally.total().frames
        pool(files["mpeg4.avi"], [29], 32, None)
        return tally.total().frames - before

    first, second = frames_decoded(), frames_decoded()
    pool.forget()
    again = frames_decoded()
    pool.close()
    assert second < first == again


def test_errors_are_those_of_this_process(processes, tmp_path):
    (tmp_path / "empty.mp4").touch()
    for decoder in (processes, decode.decode_here):
        with pytest.raises(DataError, match="the file is empty") as raised:
            decoder(tmp_path / "empty.mp4", None, 32, None)
        assert raised.value.reason == "empty"


@pytest.mark.parametrize(
    ("number", "error", "said"),
    [
        (signal.SIGSEGV, DataError, r"the process that decoded it ended \(signal 11, SIGSEGV\)"),
        (signal.SIGKILL, MemoryError, "was killed, as the system does when memory runs out"),
    ],
)
def test_a_crash_is_an_error_of_the_video_and_others_go_on(files, number, error, said):
    pool = DecodeProcesses(1)
    pool.start()
    (process,) = pool._idle
    os.kill(process._process.pid, number)
    process._process.join()
    with pytest.raises(error, match=f"mpeg4.avi: .*{said}"):
        pool(files["mpeg4.avi"], None, 32, None)
    assert len(pool(files["mpeg4.avi"], None, 32, None)) == 30  # here
    pool.close()


def test_none_is_started_before_it_pays(files):
    before = below()
    pool = DecodeProcesses(2, patience=1e-9)
    assert below() == before
    first = pool(files["mpeg4.avi"], None, 32, None)
    for thread in pool._starting:
        thread.join()
    assert len(below() - before) == 2
    assert np.array_equal(pool(files["mpeg4.avi"], None, 32, None), first)
    pool.close()
    assert below() == before


def test_another_decoder_stays_in_use():
    def other(path, wanted, short_side, total):
        raise AssertionError

    with decode.decoded_by(other), decode_processes.in_processes(4):
        assert decode.in_use() is other
    with decode_processes.in_processes(1):
        assert decode.in_use() is decode.decode_here
    with decode_processes.in_processes(2), decode_processes.in_processes(2):
        assert isinstance(decode.in_use(), DecodeProcesses)
    assert decode.in_use() is decode.decode_here


@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked on POSIX")
def test_a_fork_leaves_the_processes_to_their_owner(processes, files, monkeypatch):
    monkeypatch.setattr(processes, "_owner", os.getpid() + 1)
    monkeypatch.setattr(processes, "_idle", None)  # would fail if it were looked at
    assert len(processes(files["mpeg4.avi"], None, 32, None)) == 30
