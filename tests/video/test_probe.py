"""Files of every kind that people's copies contain, each with its reason."""

from __future__ import annotations

import errno
import os
import random
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from harness.datasets.listed_files import ListedFile, read_split
from harness.errors import DataError
from harness.video import container
from harness.video.decode import decode
from harness.video.probe import REASONS, REMARKS, _drifts, probe
from harness.video.write import write_video

from .conftest import drift


def text(path):
    path.write_text("a text file that somebody named as a video\n" * 100)


def empty(path):
    path.touch()


def cut(path):
    write_video(path, drift(60), 25)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.6)])


def flipped(path):
    write_video(path, drift(60), 25)
    content, chance = bytearray(path.read_bytes()), random.Random(0)
    for _ in range(60):
        content[chance.randrange(len(content) // 10, len(content) * 9 // 10)] ^= 1 << chance.randrange(8)
    path.write_bytes(content)


def sound(path):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(16000))


def header_alone(path):
    write_video(path, drift(10), 25)
    content = path.read_bytes()
    path.write_bytes(content[: content.index(b"movi") + 4])


@pytest.mark.parametrize(
    ("make", "reasons"),
    [
        (lambda path: None, {"missing"}),
        (lambda path: path.mkdir(), {"folder"}),
        (empty, {"empty"}),
        (text, {"not-video"}),
        (sound, {"no-video-stream"}),
        (header_alone, {"no-frames", "not-video"}),
        (cut, {"truncated"}),
        (flipped, {"corrupt"}),
    ],
)
def test_files_that_cannot_be_used(tmp_path, make, reasons):
    path = tmp_path / "video.avi"
    make(path)
    record = probe(path)
    assert record.reason in reasons <= set(REASONS)
    assert str(path) in record.message
    assert "\n" not in record.message
    with pytest.raises(DataError, match=r"cannot be used|correct the path") as refused:
        split_of(tmp_path, record, bad="error")
    assert refused.value.reason == record.reason
    assert split_of(tmp_path, record, bad="skip").left_out == {"video.avi": record.reason}


def split_of(folder, record, bad):
    write_video(folder / "good.avi", drift(5), 25)
    records = {"video.avi": record, "good.avi": probe(folder / "good.avi")}
    entries = [ListedFile(path=name, labels={"action": 0}) for name in records]
    return read_split("train", folder, entries, {"action": ("a",)}, dataset="test", bad=bad, records=records)


def variable(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height = 64, 48
        for number, picture in enumerate(drift(20, 48, 64)):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts = number * 40 + 15 * (number % 3)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def miscounted(path):
    """20 frames, of which the header says that they are 21."""
    write_video(path, drift(20), 25)
    content = bytearray(path.read_bytes())
    place = content.index(b"strh") + 40  # dwLength
    content[place : place + 4] = (21).to_bytes(4, "little")
    path.write_bytes(content)


def turned(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        stream.set_display_rotation(90)
        for picture in drift(5, 48, 64):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "make", "remarks", "frames", "size"),
    [
        ("plain.avi", lambda path: write_video(path, drift(20), 25), set(), 20, (128, 96)),
        ("one.avi", lambda path: write_video(path, drift(1), 25), {"one-frame"}, 1, (128, 96)),
        ("odd.avi", lambda path: write_video(path, drift(5, 33, 45), 25), {"odd-size"}, 5, (45, 33)),
        ("miscounted.avi", miscounted, {"miscounted"}, 20, (128, 96)),
        ("turned.mp4", turned, {"rotated"}, 5, (48, 64)),
        ("variable.mp4", variable, {"variable-rate"}, 20, (64, 48)),
    ],
)
def test_files_that_are_unusual_but_can_be_used(tmp_path, name, make, remarks, frames, size):
    path = tmp_path / name
    make(path)
    record = probe(path)
    assert (record.reason, record.message) == ("", "")
    assert set(record.remarks) == remarks <= set(REMARKS)
    assert (record.frames, record.width, record.height) == (frames, *size)
    assert record.bytes == path.stat().st_size


def test_an_image_is_a_video_of_one_frame(tmp_path):
    cv2 = pytest.importorskip("cv2")
    for suffix in ("jpg", "png", "bmp"):
        path = tmp_path / f"image.{suffix}"
        cv2.imwrite(str(path), np.full((30, 40, 3), 200, np.uint8))
        record = probe(path)
        assert (record.reason, record.frames, record.width, record.height) == ("", 1, 40, 30)
        assert record.fps > 0


def test_a_file_that_the_system_does_not_let_be_read(tmp_path, monkeypatch):
    write_video(tmp_path / "video.avi", drift(3), 25)

    def refused(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("harness.video.container.digest", refused)
    record = probe(tmp_path / "video.avi")
    assert record.reason == "unreadable"
    assert "Permission denied" in record.message


@pytest.mark.parametrize("number", [errno.EACCES, errno.ESTALE])
@pytest.mark.parametrize("name", ["video.avi", "shard.tar/video.avi"])
def test_a_file_that_cannot_be_reached_is_not_missing(tmp_path, monkeypatch, number, name):
    path = tmp_path / name
    stat = os.stat

    def refused(asked, *arguments, **named):
        if not isinstance(asked, int) and Path(asked) in (path, tmp_path / "shard.tar"):
            raise OSError(number, os.strerror(number), str(asked))
        return stat(asked, *arguments, **named)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(Path, "stat", lambda path, **named: os.stat(path, **named))  # noqa: PTH116 - as from Python 3.11 on
    monkeypatch.setattr(Path, "is_file", os.path.isfile)  # as from Python 3.14 on
    monkeypatch.setattr(Path, "is_dir", os.path.isdir)
    record = probe(path)
    assert record.reason == "unreadable"
    assert os.strerror(number) in record.message
    with pytest.raises(OSError, match=os.strerror(number)):
        container.identity(path)


@pytest.mark.parametrize("name", ["gone.avi", "file/gone.avi", "loop", "with\0null.avi"])
def test_a_file_that_is_not_there_is_missing(tmp_path, name):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    assert probe(tmp_path / name).reason == "missing"


def remuxed(source, path, *, start=0, sound=0.0, options=None):
    """The same packets in another file, from a time before 0 on, with seconds of sound."""
    with av.open(str(source)) as old, av.open(str(path), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        voice = new.add_stream("libopus" if path.suffix == ".webm" else "aac", rate=48000) if sound else None
        for packet in old.demux(video=0):
            if packet.dts is not None:
                packet.pts -= round(start / packet.time_base)
                packet.dts -= round(start / packet.time_base)
                packet.stream = stream
                new.mux(packet)
        for begin in range(0, round(sound * 48000), 960):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48000, begin
            new.mux(voice.encode(frame))
        if voice:
            new.mux(voice.encode())


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    write_video(path, drift(100, 48, 64), 25, "libx264")
    return path


def decoded_by_pyav(path):
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_what_an_edit_list_hides_is_not_missing(film, tmp_path):
    remuxed(film, tmp_path / "cut.mp4", start=1.2)
    record = probe(tmp_path / "cut.mp4")
    with av.open(str(tmp_path / "cut.mp4")) as container:
        assert container.streams.video[0].frames == 100
    assert record.frames == decoded_by_pyav(tmp_path / "cut.mp4") == 70
    assert (record.reason, record.remarks) == ("", ())


def test_a_file_with_an_edit_list_that_is_cut_short(film, tmp_path):
    remuxed(film, tmp_path / "cut.mp4", start=1.2, options={"movflags": "+faststart"})
    whole = (tmp_path / "cut.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) * 7 // 10])
    record = probe(tmp_path / "cut.mp4")
    assert record.reason == "truncated"
    assert "declares 70 frames" in record.message


@pytest.mark.parametrize("suffix", [".mkv", ".mp4", ".ts"])
def test_sound_that_is_longer_than_the_picture(film, tmp_path, suffix):
    remuxed(film, tmp_path / f"film{suffix}", sound=6.0)
    record = probe(tmp_path / f"film{suffix}")
    assert (record.frames, record.reason, record.remarks) == (100, "", ())


def encoded(path, codec, times, *, rate=25, b_frames=0):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height = 64, 48
        stream.codec_context.max_b_frames = b_frames
        for time, picture in zip(times, drift(len(times), 48, 64), strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, rate)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.webm", "libvpx-vp9"), ("a.mkv", "libx264"), ("a.ts", "mpeg2video"), ("a.avi", "mpeg4"), ("a.mp4", "libx264")],
)
def test_frames_that_the_camera_dropped_are_not_missing(tmp_path, name, codec):
    encoded(tmp_path / name, codec, [time for time in range(100) if time % 7])
    record = probe(tmp_path / name)
    assert (record.frames, record.reason) == (85, "")
    assert "variable-rate" in record.remarks


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_out_of_order_in_avi_are_of_a_constant_rate(tmp_path, codec):
    encoded(tmp_path / "a.avi", codec, range(50), b_frames=2)
    record = probe(tmp_path / "a.avi")
    assert (record.frames, record.reason) == (50, "")
    assert "variable-rate" not in record.remarks


def held(path, source, seconds):
    """The same packets, of which the last is shown for longer."""
    with av.open(str(source)) as old, av.open(str(path), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        packets = [packet for packet in old.demux(video=0) if packet.dts is not None]
        packets[-1].duration = round(seconds / packets[-1].time_base)
        for packet in packets:
            packet.stream = stream
            new.mux(packet)


def test_a_rate_that_counts_how_long_the_last_frame_is_held(tmp_path):
    write_video(tmp_path / "film.mp4", drift(100, 48, 64), 25)
    held(tmp_path / "held.mp4", tmp_path / "film.mp4", 6.0)
    record = probe(tmp_path / "held.mp4")
    assert record.fps == pytest.approx(100 / (99 / 25 + 6))
    assert record.remarks == ("variable-rate",)
    assert probe(tmp_path / "film.mp4").remarks == ()


def test_a_rate_that_leaves_out_the_last_duration_is_no_other_rate():
    times = list(range(50))
    assert not _drifts(times, 50 / 49)  # 50 frames in the 49 steps between them
    assert _drifts(times, 52 / 49)


def test_a_size_that_changes_is_the_one_that_frames_are_read_in(tmp_path):
    path = tmp_path / "grows.h264"
    for height, width in ((48, 64), (96, 128)):
        with av.open(str(tmp_path / "part.h264"), "w") as container:
            stream = container.add_stream("libx264", rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for picture in drift(10, height, width):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
            container.mux(stream.encode())
        path.write_bytes((path.read_bytes() if path.exists() else b"") + (tmp_path / "part.h264").read_bytes())
    record = probe(path)
    assert (record.frames, record.height, record.width, 3) == decode(path).shape == (20, 48, 64, 3)


def with_cover(path, film=None):
    """Sound, a cover picture, and a film where there is one."""
    with av.open(str(path), "w") as container:
        cover = container.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 320, 240, "yuvj420p"
        cover.codec_context.color_range = 2
        cover.disposition = Disposition.attached_pic
        voice = container.add_stream("aac", rate=48000)
        old = av.open(str(film)) if film else None
        stream = container.add_stream_from_template(old.streams.video[0]) if old else None
        picture = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), format="rgb24")
        container.mux(cover.encode(picture.reformat(format="yuvj420p")))
        container.mux(cover.encode())
        for packet in old.demux(video=0) if old else ():
            if packet.dts is not None:
                packet.stream = stream
                container.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), format="s16", layout="mono")
        frame.sample_rate = 48000
        container.mux(voice.encode(frame))
        container.mux(voice.encode())
    if old:
        old.close()


def test_a_cover_picture_is_no_video(film, tmp_path):
    with_cover(tmp_path / "song.mp4")
    with av.open(str(tmp_path / "song.mp4")) as container:
        assert container.streams.video[0].disposition & Disposition.attached_pic
    record = probe(tmp_path / "song.mp4")
    assert record.reason == "no-video-stream"
    assert "no video stream" in record.message
    with pytest.raises(DataError, match="no video stream"):
        decode(tmp_path / "song.mp4")
    with_cover(tmp_path / "film.mp4", film)
    record = probe(tmp_path / "film.mp4")
    assert (record.frames, record.width, record.height, record.reason) == (100, 64, 48, "")
    assert decode(tmp_path / "film.mp4", [5]).shape == (1, 48, 64, 3)


@pytest.mark.parametrize("part", ["end", "middle"])
@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.avi", "mpeg4")])
def test_a_file_with_zeros_in_place_of_frames(tmp_path, name, codec, part):
    """As a download that reserved its room and did not come to an end."""
    encoded(tmp_path / name, codec, range(100))
    with av.open(str(tmp_path / name)) as container:
        places = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    content = bytearray((tmp_path / name).read_bytes())
    for place, size in places[70:] if part == "end" else places[40:60]:
        content[place : place + size] = bytes(size)
    (tmp_path / name).write_bytes(content)
    assert probe(tmp_path / name).reason in {"truncated", "corrupt"}
