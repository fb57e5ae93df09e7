"""Files of every kind that people's copies contain, each with its reason."""

from __future__ import annotations

import random
import wave

import av
import numpy as np
import pytest

from harness.datasets.listed_files import ListedFile, read_split
from harness.errors import DataError
from harness.video.probe import REASONS, REMARKS, probe
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
