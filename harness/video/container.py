"""Open video files and walk their frames, with errors that name the fault."""

from __future__ import annotations

import contextlib
import hashlib
from typing import TYPE_CHECKING

import av

from harness.errors import DataError
from harness.video.archive import FileState, Member, member, state

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the container at `path` and its best video stream for one thread.

    Only the file itself is read: a play list that names other files or addresses is not followed.

    Args:
        path: a file, or `archive.tar/name` for one inside an archive.

    Raises:
        DataError: when there is no such file, it is no video, or FFmpeg gives up while it is read.
    """
    place = _located(path)
    address, protocols = f"file:{path}", "file"
    if place is not None:
        address = f"subfile,,start,{place.start},end,{place.start + place.size},,:file:{place.archive}"
        protocols = "subfile,file"
    try:
        # Else FFmpeg takes an image named x_%03d.jpg for a pattern, and reads the images beside it.
        options = {"protocol_whitelist": protocols, "pattern_type": "none"}
        with av.open(address, options=options) as container:
            stream = container.streams.best("video")
            if stream is None or not stream.codec_context.width:
                msg = f"{path}: the file has no video stream; fetch it again, or leave it out of the data set"
                raise DataError(msg, reason="no-video-stream")
            stream.codec_context.thread_count = 1
            yield container, stream
    except av.FFmpegError as error:
        msg = f"{path}: not a video that FFmpeg can read ({error.strerror}); fetch it again"
        raise DataError(msg, reason="not-video") from error


def frames(
    container: InputContainer, stream: VideoStream, needless: Collection[int] = frozenset()
) -> Iterator[VideoFrame]:
    """Decode frames in presentation order, from where the container stands.

    Packets that do not decode give none. Frames whose time stamp is `needless` may be missing, where no other frame
    depends on them.
    """
    codec = stream.codec_context
    if not drops(stream):
        needless = frozenset()
    for packet in container.demux(stream):
        codec.skip_frame = "NONREF" if packet.pts in needless else "DEFAULT"
        with contextlib.suppress(av.error.InvalidDataError):
            yield from packet.decode()


def drops(stream: VideoStream) -> bool:
    """Tell if the codec marks frames that no other depends on, as H.264 does.

    Frames that HEVC marks may be referred to all the same.
    """
    return stream.codec_context.name == "h264"


def identity(path: Path) -> tuple[str, FileState]:
    """Path and state: equal while the file is the same.

    A file inside an archive has the state of the archive.

    Raises:
        OSError: when there is no such file.
    """
    place = member(path) if not path.is_file() else None
    return str(path), state(path if place is None else place.archive)


def digest(path: Path) -> tuple[str, int]:
    """SHA-256 and number of bytes of the file.

    Raises:
        DataError: when there is no such file, or it is empty.
        OSError: when it cannot be read.
    """
    place = _located(path) or Member(path, 0, path.stat().st_size)
    sha, left = hashlib.sha256(), place.size
    with place.archive.open("rb") as file:
        file.seek(place.start)
        while left and (block := file.read(min(left, 2**20))):
            sha.update(block)
            left -= len(block)
    return sha.hexdigest(), place.size


def _located(path: Path) -> Member | None:
    """Locate the file inside an archive; None when it lies in a folder, as most do."""
    place = None
    if not path.is_file():
        place = member(path)
        if place is None:
            what, reason = ("is a folder, not a video", "folder") if path.is_dir() else ("no such video", "missing")
            msg = f"{path}: {what}; check the path, or fetch the data set again"
            raise DataError(msg, reason=reason)
    if not (path.stat().st_size if place is None else place.size):
        msg = f"{path}: the file is empty; fetch it again"
        raise DataError(msg, reason="empty")
    return place
