"""Frame numbers of a file, learnt once, so that a later seek can be proved right.

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

from harness.video import container as files

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
class Timeline:
    """What is known of a file's first frames."""

    times: array[int] = field(default_factory=lambda: array("q"))
    """Time stamp of each frame, increasing, in units of the stream's time base."""
    keys: list[int] = field(default_factory=list)
    """Numbers of the key frames, increasing."""
    sums: list[int | None] = field(default_factory=list)
    """Checksum of each key frame's first plane; None where it has not been decoded yet."""

    def add(self, frame: VideoFrame) -> bool:
        """Note the next frame; False when its time stamp cannot tell it from the others."""
        if frame.pts is None or frame.is_corrupt or (self.times and frame.pts <= self.times[-1]):
            return False
        if frame.key_frame:
            self.keys.append(len(self.times))
            self.sums.append(_checksum(frame))
        self.times.append(frame.pts)
        return True


_known: OrderedDict[tuple[str, int, int], Timeline] = OrderedDict()
_lock = threading.Lock()


def numbered(
    path: Path, container: InputContainer, stream: VideoStream, *, wanted: Sequence[int], total: int | None = None
) -> Iterator[tuple[int, VideoFrame]]:
    """Number and frame of the wanted frames in order, and of some before and between them.

    Args:
        path: of the container.
        container: just opened.
        stream: of the container.
        wanted: frame numbers, at least one, increasing.
        total: how many frames of the file decode, where that is known.

    Raises:
        WrongSeekError: when the file is not as it was noted; open it again and walk `every` frame.
    """
    identity = files.identity(path)
    with _lock:
        known = _known.get(identity)
        if known is not None:
            _known.move_to_end(identity)
    fresh = True
    if known is None and total is not None and _worth_a_scan(stream):
        known, fresh = _scanned(container, stream, total), False
        _remember(identity, known)
    if known is None or not known.keys or wanted[0] < known.keys[0] or wanted[-1] >= len(known.times):
        if not fresh:
            raise WrongSeekError
        yield from every(path, container, stream)
        return
    try:
        for run in _runs(known.keys, wanted):
            yield from _from_key(container, stream, known, run, fresh=fresh)
            fresh = False
    except WrongSeekError:
        with _lock:
            _known.pop(identity, None)
        raise


def every(path: Path, container: InputContainer, stream: VideoStream) -> Iterator[tuple[int, VideoFrame]]:
    """Number and frame of every frame that decodes; the container is just opened."""
    identity = files.identity(path)
    seen = Timeline()
    orderly = True
    try:
        for number, frame in enumerate(files.frames(container, stream)):
            orderly = orderly and seen.add(frame)
            yield number, frame
    finally:
        _remember(identity, seen)


def forget() -> None:
    """Know nothing of any file again, as a process that just started."""
    with _lock:
        _known.clear()


def _remember(identity: tuple[str, int, int], seen: Timeline) -> None:
    with _lock:
        known = _known.get(identity)
        if known is None or len(seen.times) > len(known.times):
            _known[identity] = seen
        while len(_known) > LIMIT:
            _known.popitem(last=False)


def _worth_a_scan(stream: VideoStream) -> bool:
    """Whether something can be left out, as far as the container's index says."""
    return files.drops(stream) or any(entry.is_keyframe for entry in stream.index_entries[1:])


def _scanned(container: InputContainer, stream: VideoStream, total: int) -> Timeline:
    """The timeline that index or packets tell; an empty one where they are not exactly the `total` frames."""
    entries = stream.index_entries
    if len(entries) == total and not stream.codec_context.has_b_frames:  # else the index lacks the order of showing
        stamps = [(entry.timestamp, entry.is_keyframe) for entry in entries if entry.size and not entry.is_discard]
    else:
        packets = [packet for packet in container.demux(stream) if packet.size and not packet.is_discard]
        stamps = [(packet.pts, packet.is_keyframe) for packet in packets if packet.pts is not None]
    stamps.sort()
    times = [time for time, _ in stamps]
    if len(times) != total or any(one == other for one, other in itertools.pairwise(times)):
        return Timeline()
    keys = [number for number, (_, key) in enumerate(stamps) if key]
    return Timeline(array("q", times), keys, [None] * len(keys))


def _runs(keys: list[int], wanted: Sequence[int]) -> list[list[int]]:
    """The wanted frames in groups, each of which is worth a seek to the last key frame before it.

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
    container: InputContainer, stream: VideoStream, known: Timeline, run: list[int], *, fresh: bool
) -> Iterator[tuple[int, VideoFrame]]:
    """Frames from the last key frame before the first of `run` to the last of it; `fresh` when just opened."""
    key = bisect.bisect_right(known.keys, run[0]) - 1
    number = start = known.keys[key]
    times = known.times
    sought = start > 0 or not fresh
    if sought:
        container.seek(times[start], stream=stream)
    needless = {*times[start + 1 : run[-1]]}.difference(times[wanted] for wanted in run)
    for frame in files.frames(container, stream, needless):
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


def _same(frame: VideoFrame, known: Timeline, key: int) -> bool:
    """Whether `frame` is the key frame that was noted; notes it when nothing but its time was known."""
    if known.sums[key] is None and frame.key_frame:
        known.sums[key] = _checksum(frame)
    return _checksum(frame) == known.sums[key]


def _checksum(frame: VideoFrame) -> int:
    return zlib.crc32(frame.planes[0])
