"""Open video files and walk their frames, with errors that name the fault."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import struct
from collections import OrderedDict
from typing import TYPE_CHECKING

import av
import av.filter
from av.sidedata.sidedata import SideData
from av.stream import Disposition

from harness.errors import DataError
from harness.system.presence import is_file, is_folder
from harness.video import tally
from harness.video.archive import FileState, Member, member, state
from harness.video.frame_folder import folder_state, frame_files

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream


MOST_PIXELS = 2**27
"""Pixels of a picture, more than cameras take.

A few bytes may claim any number, for which memory would be taken.
"""
_OF_SYSTEM = frozenset({errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ESTALE, errno.ETIMEDOUT})
"""Errors that say nothing of a file's content."""

_EXIF = 31
"""FFmpeg's number of a frame's EXIF, of which PyAV 17 and 18 have no name."""

MOST_FOLDERS = 65_536
"""Folders of frames whose identity a process remembers."""
_folders: OrderedDict[Path, tuple[FileState, FileState]] = OrderedDict()
"""State of each folder of frames, and of its images, as they were seen last."""


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open the container at `path` and its best video stream for one thread.

    Only the file itself is read: a play list that names other files or addresses is not followed.

    Args:
        path: a file, or `archive.tar/name` for one inside an archive.

    Raises:
        DataError: when there is no such file, it is no video, or FFmpeg gives up while it is read.
        MemoryError: when there is not enough for it.
    """
    place = _located(path)
    address, protocols = f"file:{path}", "file"
    if place is not None:
        address = f"subfile,,start,{place.start},end,{place.start + place.size},,:file:{place.archive}"
        protocols = "subfile,file"
    try:
        # Else FFmpeg takes an image named x_%03d.jpg for a pattern, and reads the images beside it.
        options = {"protocol_whitelist": protocols, "pattern_type": "none", "max_pixels": str(MOST_PIXELS)}
        with av.open(address, options=options) as container:
            stream = _film(container)
            if stream is None:
                large = f" of at most {MOST_PIXELS / 1e6:.0f} million pixels a picture" if _films(container) else ""
                msg = f"{path}: the file has no video stream{large}; fetch it again, or leave it out of the data set"
                raise DataError(msg, reason="no-video-stream")
            if not _can_decode(stream):
                msg = f"{path}: no decoder here for its video; convert it, or leave it out of the data set"
                raise DataError(msg, reason="no-frames")
            yield container, stream
    except av.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            msg = f"{path}: no memory to decode it"
            raise MemoryError(msg) from error
        if error.errno in _OF_SYSTEM:
            msg = f"{path}: cannot be read ({error.strerror}); check its permissions, open files and the disk"
            raise DataError(msg, reason="unreadable") from error
        msg = f"{path}: not a video that FFmpeg can read ({error.strerror}); fetch it again"
        raise DataError(msg, reason="not-video") from error


def _can_decode(stream: VideoStream) -> bool:
    """Open the decoder of a stream, by one thread; tell if there is one that opens.

    One that does not must not be touched again: with PyAV 19 its name ends the process.
    """
    codec = stream.codec_context
    if codec is None:
        return False
    codec.thread_count = 1
    codec.options = {"max_pixels": str(MOST_PIXELS)}
    try:
        codec.open(strict=False)
    except av.FFmpegError as error:
        if error.errno == errno.ENOMEM:
            raise
        return False
    return True


def _film(container: InputContainer) -> VideoStream | None:
    """Find the best video stream of a size that is read."""
    best = container.streams.best("video")
    films = sorted(_films(container), key=lambda one: one is not best)
    return next((one for one in films if one.codec_context is None or one.codec_context.width), None)


def _films(container: InputContainer) -> list[VideoStream]:
    """List the video streams that are no cover picture of the sound."""
    return [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]


def frames(
    container: InputContainer, stream: VideoStream, needless: Collection[int] = frozenset()
) -> Iterator[VideoFrame]:
    """Decode frames in presentation order, from where the container stands.

    Packets that do not decode give none. Frames whose time stamp is `needless` may be missing, where no other frame
    depends on them.
    """
    for _, decoded in packets(container, stream, needless):
        yield from decoded or ()


def packets(
    container: InputContainer, stream: VideoStream, needless: Collection[int] = frozenset()
) -> Iterator[tuple[Packet[VideoStream], list[VideoFrame] | None]]:
    """Read packets, each with the frames that came out of the decoder.

    These are None where it refused the packet. See `frames`.
    """
    codec = stream.codec_context
    if not drops(stream):
        needless = frozenset()
    for packet in container.demux(stream):
        if not packet.size and packet.dts is not None:
            continue  # a repeated frame of Theora, which would be taken for the end
        codec.skip_frame = "NONREF" if packet.pts in needless else "DEFAULT"
        try:
            decoded = packet.decode()
        except av.FFmpegError as error:  # not all decoders call bad data bad data
            if error.errno == errno.ENOMEM:
                raise
            decoded = None
        tally.add(frames=len(decoded or ()), bytes=packet.size)
        yield packet, decoded


def drops(stream: VideoStream) -> bool:
    """Tell if the codec marks frames that no other depends on, as H.264 does.

    Frames that HEVC marks may be referred to all the same.
    """
    return stream.codec_context.name == "h264"


def quarter_turns(frame: VideoFrame) -> int:
    """Counter-clockwise quarters of a circle that bring a frame upright, 0 to 3.

    Of a frame that is to be mirrored too, those after which only left and right are still exchanged.
    """
    turns = round(frame.rotation / 90) % 4
    if turns % 2:  # the same with and without a mirror
        return turns
    matrix = _display_matrix(frame)
    return turns if matrix is None else 2 * (matrix[4] < 0)


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """Matrix that a frame is to be shown with, row by row; None where it has none.

    Also None where PyAV does not tell: it lists no side data where it has no name of one.
    """
    try:
        matrix = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:
        try:
            matrix = _without_exif(frame).side_data.get("DISPLAYMATRIX")
        except (ValueError, av.FFmpegError):
            return None
    return struct.unpack("=9i", bytes(matrix)) if isinstance(matrix, SideData) else None


def _without_exif(frame: VideoFrame) -> VideoFrame:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add("sidedata", f"mode=delete:type={_EXIF}"), graph.add("buffersink")).configure()
    graph.vpush(frame)
    return graph.vpull()


def identity(path: Path) -> tuple[str, FileState]:
    """Path and state: equal while the file is the same.

    A file inside an archive has the state of the archive, a folder of frames that of its images.

    Raises:
        OSError: when there is no such file.
    """
    if is_folder(path):
        _folders.pop(path, None)
        while len(_folders) >= MOST_FOLDERS:
            _folders.popitem(last=False)
        own, images = state(path), folder_state(path)
        _folders[path] = own, images
        return str(path), images
    place = member(path) if not is_file(path) else None
    return str(path), state(path if place is None else place.archive)


def last_identity(path: Path) -> tuple[str, FileState]:
    """Identity of a file, or of a folder of frames as `identity` saw it last.

    To look at all images for each clip would take longer than to read its frames. They are looked at again when an
    image comes, goes or gets another name, and when a split of them is built.

    Raises:
        OSError: when there is no such file.
    """
    seen = _folders.get(path)
    return (str(path), seen[1]) if seen is not None and seen[0] == state(path) else identity(path)


def digest(path: Path) -> tuple[str, int]:
    """SHA-256 and number of bytes of the file.

    Of a folder of frames, SHA-256 of those of its images in their order.

    Raises:
        DataError: when there is no such file, it is empty, or a folder that is no video.
        OSError: when it cannot be read.
    """
    if is_folder(path):
        return of_frames(digest(file) for file in frame_files(path))
    sha = hashlib.sha256()
    with stored(path) as (file, size):
        left = size
        while left and (block := file.read(min(left, 2**20))):
            sha.update(block)
            left -= len(block)
            tally.add(bytes=len(block))
    return sha.hexdigest(), size


def of_frames(digests: Iterable[tuple[str, int]]) -> tuple[str, int]:
    """Digest of a folder of frames, made of those of its images in their order."""
    hashes, sizes = zip(*digests, strict=True)
    return hashlib.sha256("".join(hashes).encode()).hexdigest(), sum(sizes)


@contextlib.contextmanager
def stored(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """Open the file at its first byte, and tell how many bytes it has.

    Raises:
        DataError: when there is no such file, or it is empty.
        OSError: when it cannot be read.
    """
    place = _located(path) or Member(path, 0, path.stat().st_size)
    with place.archive.open("rb") as file:
        file.seek(place.start)
        yield file, place.size


def _located(path: Path) -> Member | None:
    """Locate the file inside an archive; None when it lies in a folder, as most do."""
    place = None
    if not is_file(path):
        place = member(path)
        if place is None:
            what, reason = ("is a folder, not a video", "folder") if is_folder(path) else ("no such video", "missing")
            msg = f"{path}: {what}; check the path, or fetch the data set again"
            raise DataError(msg, reason=reason)
    if not (path.stat().st_size if place is None else place.size):
        msg = f"{path}: the file is empty; fetch it again"
        raise DataError(msg, reason="empty")
    return place
