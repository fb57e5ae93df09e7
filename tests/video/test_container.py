"""Files that are no videos, or not whole."""

from __future__ import annotations

import errno
import socket
import struct
import wave
import zlib

import av
import numpy as np
import pytest

from harness.errors import DataError
from harness.video import container
from harness.video.decode import count_frames, decode
from harness.video.write import write_video

from .conftest import drift, pyav_frames


def empty(path):
    path.touch()


def text(path):
    path.write_text("This is not a video.\n" * 50)


def folder(path):
    path.mkdir()


def missing(path):
    pass


def sound(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))


def header_alone(path):
    write_video(path, drift(count=5), 25)
    path.write_bytes(path.read_bytes()[:5000].partition(b"movi")[0] + b"movi")


@pytest.mark.parametrize("read", [decode, count_frames, lambda path: decode(path, [0])])
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (empty, "is empty"),
        (text, "not a video"),
        (folder, "is a folder"),
        (missing, "no such video"),
        (sound, "no video stream"),
        (header_alone, "no frame decodes|not a video|no video stream"),
    ],
)
def test_what_is_no_video_is_named_with_reason_and_remedy(tmp_path, make, reason, read):
    path = tmp_path / "clip.avi"
    make(path)
    with pytest.raises(DataError, match=reason) as caught:
        read(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "fetch" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("number", "kind", "reason"),
    [(errno.ENOMEM, MemoryError, ""), (errno.EMFILE, DataError, "unreadable"), (errno.EIO, DataError, "not-video")],
)
def test_a_fault_of_the_system_is_not_the_files(files, monkeypatch, number, kind, reason):
    def fails(*_, **__):
        av.error.err_check(-number)

    monkeypatch.setattr(av, "open", fails)
    with pytest.raises(kind) as caught, container.opened(files["mpeg4.avi"]):
        pass
    assert getattr(caught.value, "reason", "") == reason


@pytest.mark.parametrize("name", ["mpeg4.avi", "h264.mkv"])
def test_a_file_cut_short_gives_the_frames_that_decode(files, tmp_path, name):
    content = files[name].read_bytes()
    cut = tmp_path / name
    cut.write_bytes(content[: len(content) * 6 // 10])
    there = len(pyav_frames(cut))
    assert 2 < there < 28
    assert count_frames(cut) == there
    assert len(decode(cut)) == there
    assert np.array_equal(decode(cut, [there - 1])[0], pyav_frames(cut)[-1])
    with pytest.raises(DataError, match=f"{there} decode"):
        decode(cut, [0, 29])


def test_a_file_cut_short_says_what_its_header_claims(files, tmp_path):
    content = files["mpeg4.avi"].read_bytes()
    cut = tmp_path / "cut.avi"
    cut.write_bytes(content[: len(content) * 6 // 10])
    with pytest.raises(DataError, match=r"frame 29 was asked for, but the header says 30 frames, .* fetch it again"):
        decode(cut, [29])


def test_a_packet_that_does_not_decode_is_no_frame(files, tmp_path):
    """Damage in the middle: frames are counted as they decode, by count_frames and decode alike."""
    with av.open(str(files["h264.mkv"])) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][15]
        start, size = packet.pos, packet.size
    content = bytearray(files["h264.mkv"].read_bytes())
    content[start + 8 : start + size] = bytes(size - 8)
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(bytes(content))
    count = count_frames(broken)
    assert 20 <= count < 30
    whole = decode(broken)
    assert len(whole) == count
    assert np.array_equal(decode(broken, [count - 1, 3]), whole[[count - 1, 3]])


def test_a_play_list_is_not_followed(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/secret.ts"
        path = tmp_path / "clip.avi"
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{address}\n#EXT-X-ENDLIST\n")
        with pytest.raises(DataError, match="clip"):
            decode(path)
        with pytest.raises(TimeoutError):
            server.accept()


def test_a_name_with_a_colon_is_a_file(tmp_path):
    path = tmp_path / "concat:a b%d.avi"
    write_video(path, drift(count=2), 25)
    assert decode(path).shape == (2, 96, 128, 3)


def test_a_picture_of_too_many_pixels_takes_no_memory(tmp_path):
    """650 kB that would become 680 MB."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    side = 15_000
    packed = zlib.compressobj(1)
    rows = b"".join(packed.compress(bytes(side * 3 + 1)) for _ in range(side)) + packed.flush()
    parts = (
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)),
        chunk(b"IDAT", rows),
        chunk(b"IEND", b""),
    )
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(DataError, match="has no video stream of at most 134 million pixels a picture") as error:
        count_frames(path)
    assert error.value.reason == "no-video-stream"
