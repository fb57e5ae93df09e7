"""Matroska files that are whole, cut anywhere, or overwritten."""

from __future__ import annotations

import io

import av
import pytest

from harness.video.matroska import frames_missing
from harness.video.probe import probe
from harness.video.write import write_video

from .conftest import drift


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("matroska") / "a.mkv"
    write_video(path, drift(60, 48, 64), 25, "libx264")
    return path.read_bytes()


@pytest.fixture(scope="module")
def clusters_end(whole):
    return whole.index(b"\x1c\x53\xbb\x6b", len(whole) // 2)  # where the cues begin


def missing(content):
    return frames_missing(io.BytesIO(content), len(content))


def test_a_whole_file_and_one_without_what_follows_its_clusters(whole, clusters_end):
    assert not missing(whole)
    assert not missing(whole + b"more")
    assert not missing(whole[: clusters_end + 6])


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9, 0.99])
def test_a_cut_or_a_hole_in_a_cluster(whole, clusters_end, share, tmp_path):
    cut = whole[: int(clusters_end * share)]
    assert missing(cut)
    assert missing(cut + bytes(len(whole) - len(cut)))
    hole = whole[: len(cut) - 3000] + bytes(3000) + whole[len(cut) :]
    assert missing(hole)
    (tmp_path / "cut.mkv").write_bytes(cut)
    record = probe(tmp_path / "cut.mkv")
    assert (record.reason, record.frames < 60) == ("truncated", True)


def test_a_recording_that_was_written_to_a_pipe(whole):
    """Its writer could not go back to say how long it is."""
    pipe = io.BytesIO()
    pipe.seekable = lambda: False
    with av.open(io.BytesIO(whole)) as source, av.open(pipe, "w", format="matroska") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    content = pipe.getvalue()
    assert not missing(content)
    assert not missing(content[: len(content) // 2])


@pytest.mark.parametrize("content", [b"", b"\x1a", b"\x1a\x45\xdf\xa3", b"RIFF" * 10, bytes(100)])
def test_what_is_no_matroska(content):
    assert not missing(content)
