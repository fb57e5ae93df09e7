"""Opens video files and walks their frames, with errors that say what is wrong with the file."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import av

from harness.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """The container at `path` and its best video stream, decoded by one thread.

    Only the file itself is read: a play list that names other files or addresses is not followed.

    Raises:
        DataError: when there is no such file, it is no video, or FFmpeg gives up while it is read.
    """
    if not path.is_file():
        what = "is a folder, not a video" if path.is_dir() else "no such video"
        msg = f"{path}: {what}; check the path, or fetch the data set again"
        raise DataError(msg)
    if not path.stat().st_size:
        msg = f"{path}: the file is empty; fetch it again"
        raise DataError(msg)
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            stream = container.streams.best("video")
            if stream is None or not stream.codec_context.width:
                msg = f"{path}: the file has no video stream; fetch it again, or leave it out of the data set"
                raise DataError(msg)
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        msg = f"{path}: not a video that FFmpeg can read ({error.strerror}); fetch it again"
        raise DataError(msg) from error


def frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Frames in the order they are shown, from where the container stands; packets that do not decode give none."""
    for packet in container.demux(stream):
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()
