"""Index of a file's frames, built once, so that a later seek can be proved right.

Neither header nor packets say for sure which frame is the n-th that decodes. So the first visit of a file decodes
from its start and notes each frame's time stamp and each key frame's checksum. Where the number of frames that decode
is known from elsewhere, and the file has exactly as many packets, the packets' time stamps tell the same without
decoding. A later visit may then seek, and not decode what no wanted frame needs; it is given up for the start when
what it meets is not exactly what was noted.
"""

from __future__ import annotations

import bisect
import itertools
import threading
import zlib
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.video import tally
from harness.video.archive import FileState
from harness.video.container import drops, frames, identity

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LIMIT = 20_000
"""Files remembered by a process, about 5 kB each."""
SEEK = 4
"""Frames whose decoding takes as long as a seek."""


class WrongSeekError(Exception):
    """A seek met other frames than the first visit; decode from the start instead."""


@dataclass(frozen=True, slots=True)
class FrameIndex:
    """Time stamps and key frames of a file's first frames."""

    times: array[int] = field(default_factory=lambda: array("q"))
    """Time stamp of each frame, increasing, in units of the stream's time base."""
    keys: list[int] = field(default_factory=list)
    """Numbers of the key frames, increasing."""
    sums: list[int | None] = field(default_factory=list)
    """Checksum of each key frame's first plane; None before it is decoded."""

    def add(self, frame: VideoFrame) -> bool:
        """Note the next frame; False when its time stamp cannot tell it from the others."""
        if frame.pts is None or frame.is_corrupt or (self.times and frame.pts <= self.times[-1]):
            return False
        if frame.key_frame:
            self.keys.append(len(self.times))
            self.sums.append(_checksum(frame))
        self.times.append(frame.pts)
        return True


_known: OrderedDict[tuple[str, FileState], FrameIndex] = OrderedDict()
_lock = threading.Lock()


def wanted_frames(
    path: Path, container: InputContainer, stream: VideoStream, *, wanted: Sequence[int], total: int | None = None
) -> Iterator[tuple[int, VideoFrame]]:
    """Number and decode the wanted frames in order, and some before and between them.

    Args:
        path: of the container.
        container: just opened.
        stream: of the container.
        wanted: frame numbers, at least one, increasing.
        total: how many frames of the file decode, where that is known.

    Raises:
        WrongSeekError: when the file is not as it was noted; open it again and walk `all_frames`.
    """
    file = identity(path)
    with _lock:
        known = _known.get(file)
        if known is not None:
            _known.move_to_end(file)
    fresh = True
    if known is None and total is not None and _worth_a_scan(stream):
        known, fresh = _scan(container, stream, total), False
        _remember(file, known)
    if known is None or not known.keys or wanted[0] < known.keys[0] or wanted[-1] >= len(known.times):
        if not fresh:
            raise WrongSeekError
        yield from all_frames(path, container, stream)
        return
    try:
        for run in _runs(known.keys, wanted):
            yield from _from_key(container, stream, known, run, fresh=fresh)
            fresh = False
    except WrongSeekError:
        with _lock:
            _known.pop(file, None)
        raise


def all_frames(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Number and decode every frame; the container is just opened."""
    file = identity(path)
    seen = FrameIndex()
    orderly = True
    try:
        for number, frame in enumerate(frames(container, stream)):
            orderly = orderly and seen.add(frame)
            yield number, frame
    finally:
        _remember(file, seen)


def forget() -> None:
    """Forget all files, as a process that just started."""
    with _lock:
        _known.clear()


def _remember(file: tuple[str, FileState], seen: FrameIndex) -> None:
    with _lock:
        known = _known.get(file)
        if known is None or len(seen.times) > len(known.times):
            _known[file] = seen
        while len(_known) > LIMIT:
            _known.popitem(last=False)


def _worth_a_scan(stream: VideoStream) -> bool:
    """Tell from the container's index if decoding could leave something out."""
    return drops(stream) or any(entry.is_keyframe for entry in stream.index_entries[1:])


def _scan(container: InputContainer, stream: VideoStream, total: int) -> FrameIndex:
    """Build the index from the container's or from packets, without decoding.

    It is empty where they are not exactly the `total` frames, or do not tell the order in which frames are shown: AVI
    has no times for that, and elsewhere those of frames out of order are out of order, or made up by FFmpeg.
    """
    reordered = bool(stream.codec_context.has_b_frames)
    if reordered and container.format.name == "avi":
        return FrameIndex()
    entries = stream.index_entries
    if len(entries) == total and not reordered:  # else the container's index lacks the order of showing
        stamps = [(entry.timestamp, entry.is_keyframe) for entry in entries if entry.size and not entry.is_discard]
    else:
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        tally.add(bytes=sum(packet.size for packet in packets))
        stamps = [(packet.pts, packet.is_keyframe) for packet in packets if packet.pts is not None]
        if reordered and stamps == sorted(stamps):
            return FrameIndex()
    stamps.sort()
    times = [time for time, _ in stamps]
    if len(times) != total or any(one == other for one, other in itertools.pairwise(times)):
        return FrameIndex()
    keys = [number for number, (_, key) in enumerate(stamps) if key]
    return FrameIndex(array("q", times), keys, [None] * len(keys))


def _runs(keys: list[int], wanted: Sequence[int]) -> list[list[int]]:
    """Group the wanted frames: each group is worth a seek to its key frame.

    >>> _runs([0, 12, 24, 36], [2, 13, 14, 30, 40])
    [[2], [13, 14], [30], [40]]
    >>> _runs([0, 12, 24, 36], [2, 6, 10, 14, 18])
    [[2, 6, 10, 14, 18]]
    """
    runs = [[wanted[0]]]
    for previous, number in itertools.pairwise(wanted):
        if keys[bisect.bisect_right(keys, number) - 1] > previous + SEEK:
            runs.append([])
        runs[-1].append(number)
    return runs


def _from_key(
    container: InputContainer, stream: VideoStream, known: FrameIndex, run: list[int], *, fresh: bool
) -> Iterator[tuple[int, VideoFrame]]:
    """Decode from the key frame before `run` to its end; `fresh` when just opened."""
    key = bisect.bisect_right(known.keys, run[0]) - 1
    number = start = known.keys[key]
    times = known.times
    sought = start > 0 or not fresh
    if sought:
        container.seek(times[start], stream=stream)
    needless = {*times[start + 1 : run[-1]]}.difference(times[wanted] for wanted in run)
    for frame in frames(container, stream, needless):
        if frame.pts is not None and frame.pts < times[start]:
            continue  # FFmpeg may land on an earlier key frame, and shows what still depends on it
        while frame.pts != times[number]:
            if times[number] not in needless:
                raise WrongSeekError
            number += 1
        if frame.is_corrupt or (sought and number == start and not _same(frame, known, key)):
            raise WrongSeekError
        yield number, frame
        if number == run[-1]:
            return
        number += 1
    raise WrongSeekError


def _same(frame: VideoFrame, known: FrameIndex, key: int) -> bool:
    """Compare `frame` with the noted key frame; note it when only its time was known."""
    if known.sums[key] is None and frame.key_frame:
        known.sums[key] = _checksum(frame)
    return _checksum(frame) == known.sums[key]


def _checksum(frame: VideoFrame) -> int:
    return zlib.crc32(frame.planes[0])
