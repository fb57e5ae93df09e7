"""Decode frames of video files."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from harness.errors import DataError
from harness.system.presence import is_folder
from harness.video.container import frames as decoded
from harness.video.container import opened, quarter_turns
from harness.video.frame_folder import frame_files
from harness.video.seek_index import WrongSeekError, all_frames, wanted_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Decoder = Callable[[Path, "list[int] | None", "int | None", "int | None"], NDArray[np.uint8]]
    """Function of the arguments of `decode_here`."""
    _Walk = Callable[[Path, InputContainer, VideoStream], Iterator[tuple[int, VideoFrame]]]

SCALED = "gbrp"
"""Pixel format of the scaler: planar RGB.

To within one level what it writes as rgb24 at half the speed.
"""
_FULL_COLOUR = 1 << 13
"""libswscale's SWS_FULL_CHR_H_INT, which PyAV 17 (Python 3.10) does not name.

Without it even widths get half the colour that odd ones get.
"""


def decoder() -> str:
    """Versions of the decoder and the pixel format: part of every protocol id.

    >>> decoder().split()[0]
    'PyAV'
    """
    codec, scale = (".".join(map(str, av.library_versions[library])) for library in ("libavcodec", "libswscale"))
    return f"PyAV {av.__version__} libavcodec {codec} libswscale {scale} {SCALED}"


def resized(width: int, height: int, short_side: int | None) -> tuple[int, int]:
    """Width and height in pixels once the short side is `short_side`.

    The long side follows in proportion, to the nearest pixel.

    >>> resized(320, 240, 112)
    (149, 112)
    >>> resized(240, 321, 120), resized(33, 21, None)
    ((120, 161), (33, 21))
    """
    if short_side is None:
        return width, height
    short = min(width, height)
    return (width * short_side * 2 + short) // (2 * short), (height * short_side * 2 + short) // (2 * short)


def decode(
    path: Path,
    frames: Sequence[int] | NDArray[np.int64] | None = None,
    *,
    short_side: int | None = None,
    total: int | None = None,
) -> NDArray[np.uint8]:
    """Decode frames of a file, or folder of frames, as (T, H, W, 3) uint8 RGB.

    Frame n is the n-th that decodes, counted from 0. The file is passed once, up to the last wanted frame, and only
    wanted frames are converted; of a folder only their images are opened. Conversion and resizing are one step of
    FFmpeg's scaler with its area filter (the mean of the pixels covered; bilinear when enlarging). Pixels are taken as
    square. Frames are turned as the file asks, by quarters of a circle; a file's wish to be mirrored is not granted:
    such frames are upright, with left and right as they are stored.

    Args:
        path: a video file, or a folder of frames.
        frames: frame numbers in any order, repeats allowed; all frames when None.
        short_side: pixels; the file's own size when None.
        total: how many frames of the file decode, where `probe` has counted them: spares the first visit of a file
            what lies before the wanted frames. The frames are the same with and without it.

    Raises:
        DataError: when the file is missing, is no video, or has fewer frames than asked for; also when a folder has
            not `total` frames, or a frame has another size.
        ValueError: when a frame number is negative or `short_side` is not positive.
    """
    if short_side is not None and short_side < 1:
        msg = f"short_side must be at least 1 pixel, got {short_side}"
        raise ValueError(msg)
    if frames is None:
        return in_use()(path, None, short_side, total)
    wanted, inverse = np.unique(np.asarray(frames, dtype=np.int64), return_inverse=True)
    if len(wanted) and wanted[0] < 0:
        msg = f"frame numbers count from 0, got {wanted[0]}"
        raise ValueError(msg)
    decoded = in_use()(path, wanted.tolist(), short_side, total)
    return decoded if np.array_equal(inverse, np.arange(len(decoded))) else decoded[inverse]


def decode_here(path: Path, wanted: list[int] | None, short_side: int | None, total: int | None) -> NDArray[np.uint8]:
    """Decode in this thread; see `decode`.

    Args:
        path: a video file.
        wanted: frame numbers, increasing; all frames when None.
        short_side: pixels.
        total: how many frames of the file decode, where that is known.
    """
    if is_folder(path):
        return _decode_folder(path, wanted, short_side, total)
    if wanted is None:
        return _decode_all(path, short_side, total)
    try:
        return _decode_some(path, wanted, short_side, functools.partial(wanted_frames, wanted=wanted, total=total))
    except WrongSeekError:
        return _decode_some(path, wanted, short_side, all_frames)


_elsewhere: list[Decoder] = []


@contextlib.contextmanager
def decoded_by(decoder: Decoder) -> Iterator[None]:
    """Let `decoder` do what any thread asks `decode` for in the block."""
    _elsewhere.append(decoder)
    try:
        yield
    finally:
        _elsewhere.remove(decoder)


def in_use() -> Decoder:
    """Decoder that does what `decode` is asked for."""
    return _elsewhere[-1] if _elsewhere else decode_here


def count_frames(path: Path) -> int:
    """Decode the whole file to count its frames, whatever the header claims.

    Raises:
        DataError: when the file is missing, is no video, or no frame decodes.
    """
    if is_folder(path):
        return len(frame_files(path))
    with opened(path) as (container, stream):
        count = sum(1 for _ in all_frames(path, container, stream))
    if not count:
        raise _nothing_decodes(path)
    return count


def _decode_folder(
    path: Path, wanted: list[int] | None, short_side: int | None, total: int | None
) -> NDArray[np.uint8]:
    files = frame_files(path)
    chosen = range(len(files)) if wanted is None else wanted
    if total not in (None, len(files)):
        msg = f"{path}: {total} frames were promised, {len(files)} are there; fetch the folder again"
        raise DataError(msg)
    if chosen and chosen[-1] >= len(files):
        msg = f"{path}: frame {chosen[-1]} was asked for, but {len(files)} are there; ask for 0 to {len(files) - 1}"
        raise DataError(msg)
    if not chosen:
        return _decode_some(files[0], [], short_side, all_frames)
    pictures, convert, seen = np.empty(0, np.uint8), None, None
    for position, number in enumerate(chosen):
        with opened(files[number]) as (container, stream):
            if convert is None:
                convert = _Converter(stream, short_side)
                pictures = np.empty((len(chosen), *convert.shape), np.uint8)
            frame = next(decoded(container, stream), None)
            if frame is None:
                raise _nothing_decodes(files[number])
            shown = frame.width, frame.height, quarter_turns(frame)
            if seen not in (None, shown):
                msg = f"{files[number]}: of another size than {files[chosen[0]].name}; fetch the folder again"
                raise DataError(msg, reason="frames")
            seen = shown
            convert(frame, pictures[position])
    return pictures if convert is None else convert.turned(pictures)


def _decode_all(path: Path, short_side: int | None, total: int | None) -> NDArray[np.uint8]:
    count = 0
    with opened(path) as (container, stream):
        convert = _Converter(stream, short_side)
        pictures = np.empty((total or 64, *convert.shape), np.uint8)
        for count, (_, frame) in enumerate(all_frames(path, container, stream), 1):
            if count > len(pictures):
                pictures = np.concatenate([pictures, np.empty_like(pictures)])
            convert(frame, pictures[count - 1])
    if not count:
        raise _nothing_decodes(path)
    return convert.turned(pictures if count == len(pictures) else pictures[:count].copy())


def _decode_some(path: Path, wanted: list[int], short_side: int | None, walk: _Walk) -> NDArray[np.uint8]:
    with opened(path) as (container, stream):
        convert = _Converter(stream, short_side)
        pictures = np.empty((len(wanted), *convert.shape), np.uint8)
        if not wanted:
            return pictures
        position, number = 0, -1
        for number, frame in walk(path, container, stream):
            if number == wanted[position]:
                convert(frame, pictures[position])
                position += 1
                if position == len(wanted):
                    return convert.turned(pictures)
        declared = stream.frames
    if number < 0:
        raise _nothing_decodes(path)
    header = f"the header says {declared} frames, " if declared > number + 1 else ""
    remedy = "the file is cut short or broken: fetch it again" if header else f"ask for 0 to {number}"
    msg = f"{path}: frame {wanted[-1]} was asked for, but {header}{number + 1} decode; {remedy}"
    raise DataError(msg)


def _nothing_decodes(path: Path) -> DataError:
    msg = f"{path}: no frame decodes; fetch the file again, or leave it out of the data set"
    return DataError(msg, reason="no-frames")


class _Converter:
    """Convert frames of one stream to RGB of one size.

    One scaler context serves all of them; PyAV's own builds one for each.
    """

    def __init__(self, stream: VideoStream, short_side: int | None) -> None:
        context = stream.codec_context
        self.width, self.height = resized(context.width, context.height, short_side)
        self.shape = (self.height, self.width, 3)
        self._reformatter = VideoReformatter()
        self._filter, self._format = int(Interpolation.AREA), "rgb24"
        if (self.width, self.height) != (context.width, context.height):
            self._filter |= _FULL_COLOUR
            self._format = SCALED
        self._turns = 0

    def __call__(self, frame: VideoFrame, picture: NDArray[np.uint8]) -> None:
        """Write `frame` into `picture` (H, W, 3), not yet turned."""
        size = self.width, self.height
        rgb = self._reformatter.reformat(frame, *size, self._format, interpolation=self._filter, threads=1)
        planes = [
            np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: self.height]  # lines are padded
            for plane in rgb.planes
        ]
        if len(planes) == 1:
            picture[:] = planes[0][:, : self.width * 3].reshape(self.shape)
        else:
            green, blue, red = (plane[:, : self.width] for plane in planes)
            cv2.merge([red, green, blue], picture)
        self._turns = quarter_turns(frame)

    def turned(self, pictures: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Turn pictures (T, H, W, 3) upright, as the file asks."""
        return np.ascontiguousarray(np.rot90(pictures, self._turns, axes=(1, 2)))
