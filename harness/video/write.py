"""Write frames to video files, equal frames to equal bytes."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from av.codec.codec import UnknownCodecError
from av.video.stream import VideoStream

from harness.errors import UsageError
from harness.system import files

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

FORMATS = {".avi": "avi", ".mp4": "mp4", ".mkv": "matroska"}
QUANTISER = 4
"""Quantiser of MPEG-4, 1 (best) to 31; H.264 keeps its own constant quality."""
LAMBDA_PER_QUANTISER = 118
"""FFmpeg's FF_QP2LAMBDA, the unit of `global_quality`."""


def write_video(path: Path, frames: NDArray[np.uint8], fps: float, codec: str = "mpeg4") -> None:
    """Encode `frames` (T, H, W, 3) uint8 RGB into `path`.

    The file is there whole or not at all. One thread, fixed quality and no time of day inside: equal frames give equal
    bytes with the same FFmpeg. MPEG-4 has a key frame every 12 frames, H.264 one every 250.

    >>> import tempfile, pathlib
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "grey.avi")
    ...     write_video(path, np.full((5, 48, 64, 3), 128, np.uint8), fps=25)
    ...     path.read_bytes()[:4]
    b'RIFF'

    Args:
        path: ends in .avi, .mp4 or .mkv.
        frames: at least one.
        fps: frames per second.
        codec: FFmpeg's name of an encoder: `mpeg4` takes any size, `libx264` only even ones.

    Raises:
        UsageError: when FFmpeg cannot write such a file.
        ValueError: when `frames` is not (T, H, W, 3) uint8 with T at least 1.
    """
    if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[3] != 3 or 0 in frames.shape:
        msg = f"frames must be (T, H, W, 3) uint8 with T at least 1, got {frames.shape} {frames.dtype}"
        raise ValueError(msg)
    if path.suffix not in FORMATS:
        msg = f"{path}: cannot write a video named {path.suffix!r}; name it {', '.join(FORMATS)}"
        raise UsageError(msg)
    with files.replacing(path) as temporary:
        try:
            _encode(temporary, FORMATS[path.suffix], frames, fps, codec)
        except (av.FFmpegError, UnknownCodecError) as error:
            _, height, width, _ = frames.shape
            reason = getattr(error, "strerror", "FFmpeg has no such encoder")
            msg = (
                f"{path}: codec {codec!r} cannot write {width}x{height} into {path.suffix} ({reason}); "
                "'mpeg4' writes any size into any of them"
            )
            raise UsageError(msg) from error


def _encode(path: Path, container_format: str, frames: NDArray[np.uint8], fps: float, codec: str) -> None:
    options = {"flags": "+bitexact+qscale"}
    if codec == "libx264":  # its fast macroblock tree gives other bytes from one call to the next
        options["x264-params"] = "cpu-independent=1"
    anonymous = {"fflags": "+bitexact"}
    with av.open(str(path), "w", format=container_format, container_options=anonymous) as container:
        stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001), options=options)
        assert isinstance(stream, VideoStream)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        stream.codec_context.global_quality = QUANTISER * LAMBDA_PER_QUANTISER
        for image in frames:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
