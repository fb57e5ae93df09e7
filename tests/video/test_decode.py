"""Video files to frames."""

from __future__ import annotations

import struct

import av
import cv2
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from harness.errors import DataError
from harness.video.decode import count_frames, decode, decoder
from harness.video.probe import probe
from harness.video.write import write_video

from .conftest import drift, pyav_frames

NAMES = ["mpeg4.avi", "h264.mp4", "h264.mkv"]


@pytest.mark.parametrize("name", NAMES)
def test_all_frames_are_those_of_pyav_alone_and_opencv(files, name):
    found = decode(files[name])
    assert found.dtype == np.uint8
    assert np.array_equal(found, pyav_frames(files[name]))
    capture = cv2.VideoCapture(str(files[name]))
    other = np.stack([capture.read()[1][..., ::-1] for _ in range(30)])
    assert np.abs(found.astype(int) - other).max() <= 2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "frames", [[0], [29], [7, 3, 3, 29, 0], list(range(10, 26)), np.array([5, 6]), range(29, -1, -1)]
)
def test_wanted_frames_in_any_order_with_repeats(files, name, frames):
    whole = pyav_frames(files[name])
    assert np.array_equal(decode(files[name], frames), whole[list(frames)])


def test_no_frames_wanted(files):
    assert decode(files["mpeg4.avi"], [], short_side=48).shape == (0, 48, 64, 3)


@pytest.mark.parametrize(("height", "width"), [(96, 128), (97, 129), (65, 33), (64, 64)])
@pytest.mark.parametrize("short_side", [16, 23, 32, 33])
def test_resizing_is_the_mean_of_the_area(tmp_path, height, width, short_side):
    path = tmp_path / "a.avi"
    smooth = np.stack([cv2.GaussianBlur(frame, (0, 0), 5) for frame in drift(2, height, width)])
    write_video(path, smooth, 25)
    found = decode(path, short_side=short_side)
    scale = short_side / min(height, width)
    assert found.shape[1:3] == (round(height * scale), round(width * scale))
    for small, frame in zip(found, pyav_frames(path), strict=True):
        area = cv2.resize(frame, (small.shape[1], small.shape[0]), interpolation=cv2.INTER_AREA)
        assert np.abs(small.astype(int) - area).mean() < 2


@pytest.mark.parametrize("short_side", [16, 23, 64, 120])
@pytest.mark.parametrize("name", NAMES)
def test_resized_pixels_are_those_that_the_scaler_writes_as_rgb(files, name, short_side):
    width = round(128 * short_side / 96)
    kind = Interpolation.AREA | 0x2000  # SWS_FULL_CHR_H_INT
    with av.open(str(files[name])) as container:
        whole = [
            frame.reformat(width, short_side, "rgb24", interpolation=kind).to_ndarray()
            for frame in container.decode(video=0)
        ]
    difference = np.abs(decode(files[name], short_side=short_side).astype(int) - np.stack(whole))
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.01


def test_enlarging(tmp_path):
    write_video(tmp_path / "a.avi", drift(2, 32, 48), 25)
    found = decode(tmp_path / "a.avi", short_side=80)
    larger = cv2.resize(pyav_frames(tmp_path / "a.avi")[0], (120, 80), interpolation=cv2.INTER_LINEAR)
    assert found.shape == (2, 80, 120, 3)
    assert np.abs(found[0].astype(int) - larger).mean() < 6


@pytest.mark.parametrize(("height", "width"), [(47, 63), (48, 63), (17, 34)])
def test_odd_sizes_keep_their_place(tmp_path, height, width):
    """A red left and a blue bottom: a mistake in padding, axes or channels moves them."""
    frames = np.zeros((3, height, width, 3), np.uint8)
    frames[:, :, : width // 2, 0] = 255
    frames[:, height // 2 :, :, 2] = 255
    write_video(tmp_path / "odd.avi", frames, 25)
    found = decode(tmp_path / "odd.avi")
    assert found.shape == frames.shape
    assert np.abs(found.astype(int) - frames).mean() < 20


def test_one_frame(tmp_path):
    write_video(tmp_path / "one.avi", drift(1), 25)
    assert count_frames(tmp_path / "one.avi") == 1
    assert decode(tmp_path / "one.avi", [0, 0]).shape == (2, 96, 128, 3)
    with pytest.raises(DataError, match="frame 1 was asked for, but 1 decode; ask for 0 to 0"):
        decode(tmp_path / "one.avi", [1])


@pytest.mark.parametrize("name", NAMES)
def test_frames_are_counted(files, name):
    assert count_frames(files[name]) == 30


@pytest.mark.parametrize("degrees", [90, 180, -90])
def test_a_turned_file_is_shown_upright(tmp_path, degrees):
    """As a phone films: the pixels lie on their side, and the file says so."""
    flat, turned = tmp_path / "flat.mp4", tmp_path / "turned.mp4"
    write_video(flat, drift(4), 25)
    with av.open(str(flat)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(degrees)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    capture = cv2.VideoCapture(str(turned))  # turns frames by itself
    other = np.stack([capture.read()[1][..., ::-1] for _ in range(4)])
    found = decode(turned)
    assert found.shape == other.shape
    assert np.abs(found.astype(int) - other).max() <= 2
    info = probe(turned)
    assert info.remarks == ("rotated",)
    assert (info.height, info.width) == found.shape[1:3]
    small = decode(turned, [2], short_side=24)
    assert small.shape[1:3] == ((32, 24) if degrees != 180 else (24, 32))


MIRRORED = {
    "left-right": ((-1, 0, 0, 1), 2, 0),
    "top-bottom": ((1, 0, 0, -1), 4, 2),
    "transposed": ((0, 1, 1, 0), 5, 3),
    "transversed": ((0, -1, -1, 0), 7, 1),
}
"""Matrix of a display, orientation of EXIF, and the quarter turns after which a picture is upright."""


@pytest.mark.parametrize(("matrix", "orientation", "turns"), MIRRORED.values(), ids=MIRRORED)
def test_a_mirrored_file_is_upright_and_not_mirrored(tmp_path, matrix, orientation, turns):
    plain = tmp_path / "plain.mp4"
    write_video(plain, drift(2), 25)
    film = bytearray(plain.read_bytes())
    identity = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    place = film.index(identity, film.index(b"tkhd"))
    a, b, c, d = (value << 16 for value in matrix)
    film[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "mirrored.mp4").write_bytes(film)
    image = cv2.imencode(".jpg", drift(1)[0])[1].tobytes()
    (tmp_path / "plain.jpg").write_bytes(image)
    exif = b"Exif\0\0II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x112, 3, 1, orientation, 0, 0)
    header = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    (tmp_path / "mirrored.jpg").write_bytes(image[:2] + header + image[2:])
    for suffix in ("mp4", "jpg"):
        found = decode(tmp_path / f"mirrored.{suffix}")
        assert np.array_equal(found, np.rot90(decode(tmp_path / f"plain.{suffix}"), turns, axes=(1, 2)))
        record = probe(tmp_path / f"mirrored.{suffix}")
        assert ("rotated" in record.remarks) == bool(turns)
        assert (record.height, record.width) == found.shape[1:3]


def test_wrong_arguments(files):
    with pytest.raises(ValueError, match="count from 0"):
        decode(files["mpeg4.avi"], [-1])
    with pytest.raises(ValueError, match="short_side"):
        decode(files["mpeg4.avi"], short_side=0)


def test_the_decoder_names_its_versions():
    assert av.__version__ in decoder()
    assert ".".join(map(str, av.library_versions["libavcodec"])) in decoder()
