"""Trajectories of a video, and the table whose rows describe them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

STEPS = 15
"""Steps of a track, which has one point more."""
CELLS = 2
"""Cells of the neighbourhood in x and in y."""
TIME_CELLS = 3
"""Cells of a track in time, five steps each."""
BINS = 8
"""Bins of orientation."""
HISTOGRAMS = {"hog": BINS, "hof": BINS + 1, "mbh_x": BINS, "mbh_y": BINS}
"""Bins of each histogram; HOF has one more for flow that is nearly zero."""

_WIDTHS = {
    "frame": 1,  # the track's last frame, counted from 0
    "mean_x": 1,
    "mean_y": 1,
    "std_x": 1,
    "std_y": 1,
    "length": 1,  # of the track in pixels
    "scale": 1,  # how many times smaller than the frame its level is
    "x_share": 1,  # mean_x by the width
    "y_share": 1,  # mean_y by the height
    "t_share": 1,  # the track's middle by the number of frames
    "shape": 2 * STEPS,
    **{name: TIME_CELLS * CELLS * CELLS * bins for name, bins in HISTOGRAMS.items()},
}
_ENDS = list(itertools.accumulate(_WIDTHS.values()))

COLUMNS: dict[str, slice] = {
    name: slice(end - width, end) for (name, width), end in zip(_WIDTHS.items(), _ENDS, strict=True)
}
"""Columns of a row by name, in the order of the original's output.

`shape` is (step, x y); the histograms are (time cell, x cell, y cell, bin).
"""
WIDTH = _ENDS[-1]
DESCRIPTORS = ("shape", *HISTOGRAMS)
"""Names of the columns that describe a track; the ten before them locate it."""


@dataclass(frozen=True, slots=True, eq=False)
class Trajectories:
    """Trajectories of one video, in the order in which they end."""

    table: Floats
    """(n, 436): see `COLUMNS`."""
    tracks: Floats
    """(n, 16, 2): x and y in pixels of the full frame; pixel centres are integers."""
    frame: NDArray[np.int64]
    """(n,): first frame of each; the column of this name has the last."""
    removed: Floats
    """(m, 16, 2): tracks that only the camera moved."""
    removed_frame: NDArray[np.int64]
    """(m,): first frame of each removed track."""
    volumes: NDArray[np.uint8] | None = None
    """(n, 12, 16, 16) grey: the halved neighbourhood, frames 2 to 13; None if unasked."""


def column(name: str) -> int:
    """Return the number of a column that is one wide.

    >>> column("mean_x"), column("t_share")
    (1, 9)

    Raises:
        ValueError: when there is no such column, or it is wider.
    """
    if _WIDTHS.get(name) != 1:
        single = [known for known, width in _WIDTHS.items() if width == 1]
        msg = f"expected a column that is one wide ({', '.join(single)}), got {name!r}"
        raise ValueError(msg)
    return int(COLUMNS[name].start)


def span(first: str, last: str) -> slice:
    """Return the columns from the start of one name to the end of another.

    >>> span("shape", "mbh_y"), span("hog", "mbh_y")
    (slice(10, 436, None), slice(40, 436, None))

    Raises:
        ValueError: when there is no such name, or they are the wrong way round.
    """
    names = list(COLUMNS)
    if first not in COLUMNS or last not in COLUMNS or names.index(first) > names.index(last):
        msg = f"expected two column names in the order of {', '.join(names)}, got {first!r} and {last!r}"
        raise ValueError(msg)
    return slice(COLUMNS[first].start, COLUMNS[last].stop)


def describe_tracks(
    tracks: Floats, displacement: Floats, scale: NDArray[np.float64], last: int, histograms: Floats
) -> Floats:
    """Build the rows (n, 436) of tracks that end in one frame.

    The shares stay 0 until `add_shares`.

    Args:
        tracks: (n, 16, 2), pixels of the frame.
        displacement: their steps without the camera's motion, (n, 15, 2), pixels of the frame.
        scale: how many times smaller than the frame the level of each is, (n,).
        last: the number of the frame.
        histograms: (n, 396), columns `hog` to `mbh_y`.
    """
    rows = np.zeros((len(tracks), WIDTH), np.float32)
    rows[:, column("frame")] = last
    rows[:, [column("mean_x"), column("mean_y")]] = tracks.mean(1)
    rows[:, [column("std_x"), column("std_y")]] = tracks.std(1)
    rows[:, column("length")] = np.linalg.norm(np.diff(tracks, axis=1), axis=2).sum(1)
    rows[:, column("scale")] = scale
    total = np.linalg.norm(displacement, axis=2).sum(1)
    rows[:, COLUMNS["shape"]] = (displacement / np.maximum(total, 1e-12)[:, None, None]).reshape(len(tracks), -1)
    rows[:, span("hog", "mbh_y")] = histograms
    return rows


def add_shares(rows: Floats, width: int, height: int, frames: int) -> None:
    """Fill in positions as shares of the video's size and number of frames."""
    rows[:, column("x_share")] = rows[:, column("mean_x")] / width
    rows[:, column("y_share")] = rows[:, column("mean_y")] / height
    rows[:, column("t_share")] = (rows[:, column("frame")] - STEPS / 2) / frames
