"""Frame numbers of a file, learnt while it is decoded, so that a later seek can be proved right.

Neither header nor packets say for sure which frame is the n-th that decodes. So the first visit of a file decodes
from its start and notes each frame's time stamp and each key frame's checksum; a later visit of frames already seen
may seek, and is given up for the start when what it meets is not exactly what was noted.
"""

from __future__ import annotations

import bisect
import threading
import zlib
from array import array
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness.video import container as files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

LIMIT = 20_000
"""Files remembered by a process, about 5 kB each."""


class WrongSeekError(Exception):
    """A seek met other frames than the first visit; decode from the start instead."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """What is known of a file's first frames."""

    times: array[int] = field(default_factory=lambda: array("q"))
    """Time stamp of each frame, increasing, in units of the stream's time base."""
    keys: list[int] = field(default_factory=list)
    """Numbers of the key frames, increasing."""
    sums: list[int] = field(default_factory=list)
    """Checksum of each key frame's first plane."""

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
    path: Path, container: InputContainer, stream: VideoStream, *, first: int, last: int, seek: bool
) -> Iterator[tuple[int, VideoFrame]]:
    """Number and frame of every frame from `first` or one before it, to the end of the file.

    Args:
        path: of the container.
        container: just opened.
        stream: of the container.
        first: number of the first frame that is wanted.
        last: number of the last frame that is wanted.
        seek: whether frames before `first` may be jumped over.

    Raises:
        WrongSeekError: when a seek did not lead where it should.
    """
    identity = files.identity(path)
    with _lock:
        known = _known.get(identity)
        if known is not None:
            _known.move_to_end(identity)
    if seek and known is not None and last < len(known.times):
        key = bisect.bisect_right(known.keys, first) - 1
        if key >= 0 and known.keys[key] > 0:
            yield from _from_key(container, stream, known, key)
            return
    seen = Timeline()
    try:
        orderly = True
        for number, frame in enumerate(files.frames(container, stream)):
            orderly = orderly and seen.add(frame)
            yield number, frame
    finally:
        if known is None or len(seen.times) > len(known.times):
            with _lock:
                _known[identity] = seen
                while len(_known) > LIMIT:
                    _known.popitem(last=False)


def forget() -> None:
    """Know nothing of any file again, as a process that just started."""
    with _lock:
        _known.clear()


def _from_key(
    container: InputContainer, stream: VideoStream, known: Timeline, key: int
) -> Iterator[tuple[int, VideoFrame]]:
    number = known.keys[key]
    container.seek(known.times[number], stream=stream)
    for frame in files.frames(container, stream):
        if frame.pts is not None and frame.pts < known.times[known.keys[key]]:
            continue  # FFmpeg may land on an earlier key frame, and shows what still depends on it
        if number < len(known.times) and frame.pts != known.times[number]:
            raise WrongSeekError
        if frame.is_corrupt or (number == known.keys[key] and _checksum(frame) != known.sums[key]):
            raise WrongSeekError
        yield number, frame
        number += 1
    raise WrongSeekError


def _checksum(frame: VideoFrame) -> int:
    return zlib.crc32(frame.planes[0])
