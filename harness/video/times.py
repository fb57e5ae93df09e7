"""Times at which the frames of a file are shown, without decoding it."""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.video import container

FILES = 64
"""Files whose times are remembered: parts of one file ask again and again."""


def frame_times(path: Path, total: int) -> NDArray[np.float64] | None:
    """Seconds from the first frame to each one, and to the end of the last, (T + 1,).

    The last frame is shown as long as the file says, or else as frames usually are.

    Args:
        path: a file, or `archive.tar/name` for one inside an archive.
        total: T, the number of its frames.

    Returns:
        None where time stamps are not exactly those of `total` frames, or do not tell the order in which these are
        shown: AVI has none for frames out of order, and elsewhere FFmpeg may have made them up.

    Raises:
        DataError: as `container.opened`.
    """
    return _frame_times(path, total, container.identity(path))


@functools.lru_cache(maxsize=FILES)
def _frame_times(path: Path, total: int, _state: object) -> NDArray[np.float64] | None:
    with container.opened(path) as (file, stream):
        reordered = bool(stream.codec_context.has_b_frames)
        packets = (packet for packet in file.demux(stream) if packet.size and not packet.is_discard)
        shown = [(packet.pts, packet.duration or 0) for packet in packets if packet.pts is not None]
        made_up = reordered and (file.format.name == "avi" or shown == sorted(shown))
        unit = float(stream.time_base or 0)
    stamps = np.array(sorted(stamp for stamp, _ in shown), dtype=np.float64)
    if made_up or len(stamps) != total or not total or not (np.diff(stamps) > 0).all():
        return None
    length = max(shown)[1] or (float(np.median(np.diff(stamps))) if total > 1 else 0.0)
    times: NDArray[np.float64] = (np.append(stamps, stamps[-1] + length) - stamps[0]) * unit
    return times


def nearest_frame(times: NDArray[np.float64], second: float) -> int:
    """Position of the time nearest to a second; behind the last for a later one.

    Later is what lies behind the end by more than half of a usual frame.

    >>> times = np.array([0.0, 0.1, 0.2, 0.6, 1.0])
    >>> [nearest_frame(times, second) for second in (0.04, 0.16, 0.5, 1.1, 1.3)]
    [0, 2, 3, 4, 5]
    """
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    if second > times[-1] + usual / 2:
        return len(times)
    return int(np.argmin(np.abs(times - second)))
