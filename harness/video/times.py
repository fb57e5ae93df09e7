"""Times at which the frames of a file are shown, without decoding it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.video import container


def frame_times(path: Path) -> NDArray[np.float64]:
    """Seconds from the first frame to each one, and to the end of the last, (T + 1,).

    The last frame is shown as long as frames usually are.

    Args:
        path: a file, or `archive.tar/name` for one inside an archive.

    Raises:
        DataError: as `container.opened`.
    """
    with container.opened(path) as (file, stream):
        packets = (packet for packet in file.demux(stream) if packet.size and not packet.is_discard)
        stamps = sorted(packet.pts for packet in packets if packet.pts is not None)
        unit = float(stream.time_base or 0)
    times = (np.array(stamps, dtype=np.float64) - (stamps[0] if stamps else 0)) * unit
    usual = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    return np.append(times, times[-1] + usual if len(times) else 0.0)


def nearest_frame(times: NDArray[np.float64], second: float) -> int:
    """Position of the time nearest to a second; behind the last for a later one.

    >>> times = np.array([0.0, 0.1, 0.2, 0.6, 1.0])
    >>> [nearest_frame(times, second) for second in (0.04, 0.16, 0.5, 1.1, 1.3)]
    [0, 2, 3, 4, 5]
    """
    if second > times[-1] + (times[-1] - times[-2] if len(times) > 1 else 0.0) / 2:
        return len(times)
    return int(np.argmin(np.abs(times - second)))
