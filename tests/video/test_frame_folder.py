"""Folders of frames: their order, their pixels beside those of a file, and wrong ones."""

from __future__ import annotations

import fractions
import os

import av
import cv2
import numpy as np
import pytest
import torch

from harness.datasets import file_index
from harness.errors import DataError
from harness.video import container, frame_folder
from harness.video.decode import count_frames, decode
from harness.video.decode_processes import DecodeProcesses
from harness.video.flow_cache import FlowCache
from harness.video.frame_cache import FrameCache
from harness.video.frame_folder import frame_files
from harness.video.probe import REASONS, REMARKS, probe

from .conftest import drift


def write_frames(folder, pictures, name="img_{:05d}.png", first=1):
    """One image a frame, losslessly when the name says PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(pictures, first):
        path = folder / name.format(number)
        path.write_bytes(cv2.imencode(path.suffix, picture[..., ::-1])[1].tobytes())
    return folder


@pytest.fixture
def folder(tmp_path):
    return write_frames(tmp_path / "frames", drift(12))


def lossless(path, pictures):
    """The same frames as one file."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("png", rate=25)
        stream.height, stream.width = pictures.shape[1:3]
        stream.pix_fmt = "rgb24"
        for picture in pictures:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")))
        file.mux(stream.encode())
    return path


def of_jpegs(path, folder):
    """A film of the very JPEGs of a folder."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
        for number, image in enumerate(frame_files(folder)):
            packet = av.Packet(image.read_bytes())
            packet.stream, packet.pts, packet.dts = stream, number, number
            packet.time_base = fractions.Fraction(1, 25)
            file.mux(packet)
    return path


@pytest.mark.parametrize("short_side", [None, 32, 33, 120])
@pytest.mark.parametrize("frames", [None, [0], [7, 3, 3, 11], []])
def test_frames_are_those_of_a_file_of_the_same_pictures(folder, tmp_path, short_side, frames):
    file = lossless(tmp_path / "same.avi", drift(12))
    found = decode(folder, frames, short_side=short_side, total=12)
    assert np.array_equal(found, decode(file, frames, short_side=short_side))
    if short_side is None and frames is None:
        assert np.array_equal(found, drift(12))
    assert count_frames(folder) == 12


@pytest.mark.parametrize("short_side", [None, 32])
def test_jpegs_are_those_of_a_film_of_them(tmp_path, short_side):
    folder = write_frames(tmp_path / "frames", drift(6), "frame_{:06d}.jpg", first=0)
    file = of_jpegs(tmp_path / "film.avi", folder)
    assert np.array_equal(decode(folder, short_side=short_side), decode(file, short_side=short_side))


def test_only_wanted_images_are_opened(folder):
    for number in (1, 2, 4, 5, 6):
        (folder / f"img_{number:05d}.png").write_bytes(b"no picture")
    assert np.array_equal(decode(folder, [2, 11]), drift(12)[[2, 11]])
    with pytest.raises(DataError, match=r"img_00005\.png: .*fetch it again"):
        decode(folder, [4])


def test_other_processes_decode_them(folder):
    processes = DecodeProcesses(1)
    try:
        processes.start()
        assert np.array_equal(processes(folder, [3, 5], 32, 12), decode(folder, [3, 5], short_side=32))
    finally:
        processes.close()


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10.jpg", "9.jpg", "8.jpg"], ["8.jpg", "9.jpg", "10.jpg"]),
        (["P01_02_frame_5.JPG", "P01_02_frame_10.jpg"], ["P01_02_frame_5.JPG", "P01_02_frame_10.jpg"]),
        (["10 of 7.png", "0 of 7.png", "5 of 7.png"], ["0 of 7.png", "5 of 7.png", "10 of 7.png"]),
        (["alone.webp", ".hidden_1.webp", "notes_1.txt"], ["alone.webp"]),
    ],
)
def test_the_order_is_that_of_the_number(tmp_path, names, order):
    for name in names:
        (tmp_path / name).touch()
    (tmp_path / "inner_1.jpg").mkdir()
    assert [file.name for file in frame_files(tmp_path)] == order


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["img_1.jpg", "img_2.jpg", "img_4.jpg"], r"img_3\.jpg: is missing between img_2\.jpg and img_4\.jpg"),
        (["img_00008.jpg", "img_00010.jpg", "img_00009.jpg", "img_00012.jpg"], r"img_00011\.jpg: is missing"),
        (["img_1.jpg", "img_01.jpg", "img_2.jpg"], r"img_1\.jpg: has the number of img_01\.jpg"),
        (["img_1.jpg", "img_01.jpg"], r"img_1\.jpg: has the number of img_01\.jpg"),
        (["img_1.jpg", "flow_x_1.jpg"], r"img_1\.jpg: named otherwise than flow_x_1\.jpg"),
        (["img_1.jpg", "img_2.png"], r"img_2\.png: named otherwise than img_1\.jpg"),
        (["1_1.jpg", "2_2.jpg"], r"1_1\.jpg: more than one number differs"),
        (["a.jpg", "b.jpg"], r"b\.jpg: named otherwise than a\.jpg"),
        ([], "is a folder without images"),
    ],
)
def test_names_that_are_not_the_frames_of_one_video(tmp_path, names, message):
    for name in names:
        (tmp_path / name).touch()
    with pytest.raises(DataError, match=message) as refused:
        frame_files(tmp_path)
    assert refused.value.reason in {"frames", "folder"} <= set(REASONS)
    assert probe(tmp_path).message == str(refused.value)


def test_a_link_does_not_leave_the_folder(folder, tmp_path):
    (folder / "img_00013.png").symlink_to(folder / "img_00012.png")
    assert len(frame_files(folder)) == 13
    (folder / "img_00014.png").symlink_to(write_frames(tmp_path / "elsewhere", drift(1)) / "img_00001.png")
    with pytest.raises(DataError, match=r"img_00014\.png: a symbolic link that leads out"):
        decode(folder, [0])


def test_an_image_that_is_no_file_is_named(folder):
    (folder / "img_00012.png").unlink()
    (folder / "img_00012.png").symlink_to(folder / "gone.png")
    with pytest.raises(DataError, match=r"img_00012\.png: is no file, though its name is that of an image"):
        frame_files(folder)
    (folder / "img_00012.png").unlink()
    os.mkfifo(folder / "img_00012.png")
    assert probe(folder).reason == "frames"


def test_the_record_says_what_the_images_hold(folder):
    record = probe(folder)
    assert (record.frames, record.width, record.height, record.fps) == (12, 128, 96, 0.0)
    assert record.bytes == sum(file.stat().st_size for file in folder.iterdir())
    assert record.remarks == ("frame-folder",)
    assert set(record.remarks) <= set(REMARKS)
    assert (record.sha256, record.bytes) == container.digest(folder)
    assert probe(write_frames(folder.parent / "one", drift(1))).remarks == ("frame-folder", "one-frame")


def test_the_hash_is_of_bytes_in_order_and_of_no_name(folder, tmp_path):
    renamed = write_frames(tmp_path / "renamed", drift(12), "{}.png", first=7)
    assert container.digest(renamed) == container.digest(folder)
    backwards = write_frames(tmp_path / "backwards", drift(12)[::-1])
    assert container.digest(backwards) != container.digest(folder)


def large(path):
    """A picture of 40,000 x 40,000 pixels in few bytes, as its header says."""
    content = bytearray(cv2.imencode(".bmp", np.zeros((4, 4, 3), np.uint8))[1].tobytes())
    content[18:26] = (40_000).to_bytes(4, "little") * 2
    path.write_bytes(content)


def film(path):
    lossless(path.with_suffix(".avi"), drift(2)).rename(path)


@pytest.mark.parametrize(
    ("spoil", "name", "reason", "message"),
    [
        (lambda path: path.write_bytes(b""), "img_00004.png", "empty", "the file is empty"),
        (lambda path: path.write_bytes(b"no picture"), "img_00004.png", "not-video no-video-stream", "fetch it again"),
        (lambda path: write_frames(path.parent, drift(1, 96, 130), path.name), "img_00004.png", "frames", "130 x 96"),
        (film, "img_00004.png", "frames", "holds 2 pictures"),
        (lambda path: path.unlink(), "img_00004.png", "frames", "is missing between"),
    ],
)
def test_a_frame_that_cannot_be_used_is_named(folder, spoil, name, reason, message):
    spoil(folder / name)
    record = probe(folder)
    assert record.reason in reason.split()
    assert record.reason in REASONS
    assert str(folder / name) in record.message
    assert message in record.message
    if reason != "frames" or "130" in message:
        with pytest.raises(DataError, match=r"img_00004\.png"):
            decode(folder)


def test_a_picture_bomb_is_refused(tmp_path):
    folder = write_frames(tmp_path / "bombs", drift(1, 4, 4), "{}.bmp")
    large(folder / "2.bmp")
    assert "2.bmp" in probe(folder).message
    with pytest.raises(DataError, match=r"2\.bmp: the file has no video stream of at most 134 million pixels"):
        decode(folder, [1])


def test_frames_that_came_or_went_are_noticed(folder):
    (folder / "img_00001.png").unlink()
    with pytest.raises(DataError, match="12 frames were promised, 11 are there"):
        decode(folder, [0], total=12)
    with pytest.raises(DataError, match="frame 11 was asked for, but 11 are there"):
        decode(folder, [11])


def test_the_state_tells_of_an_image_that_was_overwritten(folder):
    file = folder / "img_00003.png"
    before, status = container.identity(folder), file.stat()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert container.identity(folder) != before


def test_images_are_looked_at_once_and_again_for_a_new_split(folder, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    looks = []
    original = container.folder_state
    monkeypatch.setattr(container, "folder_state", lambda path: looks.append(path) or original(path))
    cache, flow = FrameCache(), FlowCache("farneback", 32)
    first = cache.video(folder, 32)
    assert cache.video(folder, 32) is first
    assert len({flow.path(folder) for _ in range(2)}) == 1
    assert len(looks) == 1
    image = folder / "img_00003.png"
    image.write_bytes((folder / "img_00009.png").read_bytes())  # in its place
    file_index.records(folder.parent, [folder.name], title="looking")
    assert not torch.equal(cache.video(folder, 32), first)
    (folder / "img_00012.png").unlink()
    assert len(cache.video(folder, 32)) == 11


def test_flow_is_that_of_a_file_of_the_same_pictures(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_HOME", str(tmp_path / "home"))
    cache = FlowCache("farneback", 32)
    assert torch.equal(cache.read(folder, [0, 10]), cache.read(lossless(tmp_path / "same.avi", drift(12)), [0, 10]))


def test_names_are_listed_once(folder, monkeypatch):
    frame_files(folder)
    monkeypatch.setattr(frame_folder, "_entries", lambda folder: pytest.fail("listed again"))
    assert len(frame_files(folder)) == 12
